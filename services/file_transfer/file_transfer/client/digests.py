"""The SHA-256 of a file in an answer: `Repr-Digest: sha-256=:BASE64:` (RFC 9530), and in an ETag in hex."""

import binascii
import re
from collections.abc import Mapping

_REPR_DIGEST = re.compile(r"(?:^|[\s,])sha-256=:([A-Za-z0-9+/]{43}=):")
_ETAG = re.compile(r'"([0-9a-f]{64})"')


def stated(headers: Mapping[str, str]) -> str | None:
    """The SHA-256 of the whole file in hex, as an answer's headers state it; None if they do not."""
    if found := _REPR_DIGEST.search(headers.get("Repr-Digest", "")):
        return binascii.a2b_base64(found[1]).hex()
    if found := _ETAG.fullmatch(headers.get("ETag", "")):
        return found[1]
    return None
