"""The SHA-256 in headers: `Repr-Digest: sha-256=:BASE64:` (RFC 9530), or an ETag in hex."""

import binascii
import re
from collections.abc import Mapping

_REPR_DIGEST = re.compile(r"(?:^|[\s,])sha-256=:([A-Za-z0-9+/]{43}=):")
_ETAG = re.compile(r'"([0-9a-f]{64})"')


def repr_digest(sha256: str) -> str:
    """Return the value of the header Repr-Digest for a SHA-256 in hex."""
    return f"sha-256=:{binascii.b2a_base64(bytes.fromhex(sha256), newline=False).decode()}:"


def sha256_in(headers: Mapping[str, str]) -> str | None:
    """Return the whole file's SHA-256 in hex, or None if the headers do not contain it."""
    if found := _REPR_DIGEST.search(headers.get("Repr-Digest", "")):
        return binascii.a2b_base64(found[1]).hex()
    if found := _ETAG.fullmatch(headers.get("ETag", "")):
        return found[1]
    return None
