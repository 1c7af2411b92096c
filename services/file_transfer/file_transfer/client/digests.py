"""SHA-256 as HTTP writes it (RFC 9530): `Repr-Digest: sha-256=:BASE64:`, and in an ETag in hex."""

import base64
import binascii
import re
from collections.abc import Mapping

_REPR_DIGEST = re.compile(r"(?:^|[\s,])sha-256=:([A-Za-z0-9+/]{43}=):")
_ETAG = re.compile(r'"([0-9a-f]{64})"')


def repr_digest(sha256: str) -> str:
    """The header's value for a digest in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def stated(headers: Mapping[str, str]) -> str | None:
    """The SHA-256 of the whole file in hex, as an answer's headers state it; None if they do not."""
    if found := _REPR_DIGEST.search(headers.get("Repr-Digest", "")):
        return binascii.a2b_base64(found[1]).hex()
    if found := _ETAG.fullmatch(headers.get("ETag", "")):
        return found[1]
    return None
