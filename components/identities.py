"""Keys and certificates by which the cluster's programs know each other, all made from one random text, the seed.

The same seed and names always give the same text, so a second `pulumi up` shows no changes. Every authority is a root
of its own: a program that trusts one of them does not accept another's certificates.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CURVE = ec.SECP256R1()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The curve's order. Its private keys are the numbers from 1 to one less than this."""

# The certificates are valid for as long as the seed is used. If they expired, the cluster would stop.
_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A certificate and its private key, and the certificate of the authority that issued it. All are PEM."""

    authority: str
    certificate: str
    key: str

    @property
    def pem(self) -> str:
        """The certificate, followed by its private key."""
        return self.certificate + self.key


def signing_key(seed: str, purpose: str) -> str:
    """Return a secret of 256 bits for this purpose, in hexadecimal digits."""
    return _derive(seed, f"signing key {purpose}").hex()


def identity(seed: str, *, authority: str, name: str, hosts: Collection[str] = ()) -> Identity:
    """Return the certificate that an authority issues for a program of this name, which is reached by these host names.

    It is valid for servers and for clients.
    """
    issuer, issuer_key = _authority(seed, authority)
    key = _private_key(seed, repr((authority, name, sorted(hosts))))
    builder = _builder(name, issuer.subject, key.public_key(), issuer_key.public_key(), is_authority=False)
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(uses, critical=False)
    number = hashlib.sha256(repr((authority, name, sorted(hosts), seed)).encode()).digest()[:16]
    issued = _signed(builder, number, issuer_key)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return Identity(authority=_pem(issuer), certificate=_pem(issued), key=pem)


def authority(seed: str, name: str) -> str:
    """Return the certificate of the authority of this name, as PEM."""
    return _pem(_authority(seed, name)[0])


def _authority(seed: str, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = _private_key(seed, name)
    subject = _name(name)
    builder = _builder(name, subject, key.public_key(), key.public_key(), is_authority=True)
    return _signed(builder, hashlib.sha256(repr((name, seed)).encode()).digest()[:16], key), key


def _builder(
    name: str,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    *,
    is_authority: bool,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=is_authority, crl_sign=is_authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(public_key)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, number: bytes, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    serial = int.from_bytes(number, "big") | 1
    return builder.serial_number(serial).sign(key, hashes.SHA256(), ecdsa_deterministic=True)


def _private_key(seed: str, name: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(_derive(seed, f"private key {name}", size=48), "big")
    return ec.derive_private_key(number % (_ORDER - 1) + 1, _CURVE)


def _derive(seed: str, purpose: str, *, size: int = 32) -> bytes:
    return HKDF(hashes.SHA256(), size, salt=None, info=purpose.encode()).derive(seed.encode())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
