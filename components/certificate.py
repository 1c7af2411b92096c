"""The edge's certificate, checked before it is deployed."""

import time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import SecretStr


def not_after(pem: str) -> int:
    """The end of the validity of the first certificate in the text, in seconds since 1970.

    The text must be what HAProxy reads: the certificate, those between it and its root, and its private key.

    Raises:
        ValueError: something is missing, not PEM, expired, or the key is another certificate's.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("has no PEM certificate: begin with -----BEGIN CERTIFICATE-----") from None
    start = pem.find("-----BEGIN", pem.rfind("-----END CERTIFICATE-----"))
    try:
        key = load_pem_private_key(pem[max(start, 0) :].encode(), password=None)
    except (TypeError, ValueError):
        raise ValueError("has no PEM private key without a passphrase after its certificates: add it") from None
    first = certificates[0]
    encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if first.public_key().public_bytes(*encoding) != key.public_key().public_bytes(*encoding):
        raise ValueError("has a private key that is not its first certificate's: put the right ones together")
    end = int(first.not_valid_after_utc.timestamp())
    if end <= time.time():
        raise ValueError(f"expired on {first.not_valid_after_utc:%Y-%m-%d}: get a new certificate")
    return end


def certificate_ends(edge: SecretStr | None) -> dict[str, int]:
    """Return when each certificate ends, in seconds since 1970, by its name: an alert fires two weeks before."""
    return {"edge": not_after(edge.get_secret_value())} if edge else {}
