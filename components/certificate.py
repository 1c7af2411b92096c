"""Checks the edge's certificate before it is deployed."""

import time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def not_after(pem: str) -> int:
    """Return when the first certificate in the text expires, in seconds since 1970.

    The text must have the order that HAProxy reads: the certificate, its intermediate certificates, its private key.

    Raises:
        ValueError: a part is missing or not PEM, the certificate has expired, or the key does not belong to it.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("has no PEM certificate: it must begin with -----BEGIN CERTIFICATE-----") from None
    start = pem.find("-----BEGIN", pem.rfind("-----END CERTIFICATE-----"))
    try:
        key = load_pem_private_key(pem[max(start, 0) :].encode(), password=None)
    except (TypeError, ValueError):
        raise ValueError("has no PEM private key after its certificates: add one without a passphrase") from None
    first = certificates[0]
    encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if first.public_key().public_bytes(*encoding) != key.public_key().public_bytes(*encoding):
        raise ValueError("has a private key that does not belong to its first certificate: use the matching key")
    end = int(first.not_valid_after_utc.timestamp())
    if end <= time.time():
        raise ValueError(f"expired on {first.not_valid_after_utc:%Y-%m-%d}: get a new certificate")
    return end


def host_names(pem: str) -> list[str]:
    """Return the names of hosts that the first certificate in the text is for, in lower case, sorted.

    Names that are addresses are left out, and so are those in the subject, which clients no longer read.
    """
    first = x509.load_pem_x509_certificates(pem.encode())[0]
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return sorted({name.lower() for name in names.get_values_for_type(x509.DNSName)})
