"""Creates certificates for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def self_signed(
    *,
    days: int = 30,
    with_key: bool = True,
    with_another_key: bool = False,
    addresses: Sequence[str] = ("127.0.0.1",),
    names: Sequence[str] = (),
) -> str:
    """Return PEM text with a certificate that expires in this many days, followed by its private key or another one."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # A name of its own, since OpenSSL finds a trusted certificate by it.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"edge {serial}")])
    end = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .add_extension(
            x509.SubjectAlternativeName(
                [*(x509.IPAddress(ip_address(address)) for address in addresses), *map(x509.DNSName, names)]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(Encoding.PEM).decode()
    if with_another_key:
        key = ec.generate_private_key(ec.SECP256R1())
    if with_key or with_another_key:
        text += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return text
