"""Digests in headers (RFC 9530, and tus's own): written for every file, checked where a client sends one."""

import base64
import binascii
import re
from collections.abc import Mapping

from file_transfer.errors import RefusedError

_SHA256 = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]*):\s*(?=,|$)", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]{64}")


def field(sha256: str) -> str:
    """The value of Repr-Digest for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def declared(headers: Mapping[str, str | None]) -> str | None:
    """The SHA-256 in hex that the client says the content has; None if it says none that we know.

    A request's content is the whole file here, so that both of the RFC's fields mean the same.

    Raises:
        RefusedError: 400, since it cannot be read.
    """
    for name in ("Repr-Digest", "Content-Digest"):
        text = headers.get(name)
        if text and "sha-256" in text.lower():
            found = _SHA256.search(text)
            raw = _decoded(found[1]) if found else b""
            if len(raw) != 32:
                raise RefusedError(400, f"{name} cannot be read: send sha-256=:BASE64:")
            return raw.hex()
    return None


def from_hex(text: str) -> str:
    """The SHA-256 of a form's field, in hex in lower case.

    Raises:
        RefusedError: 400, since it is none.
    """
    if not _HEX.fullmatch(text.strip()):
        raise RefusedError(400, "the field «sha256» is no SHA-256: send 64 hexadecimal digits")
    return text.strip().lower()


def check(expected: str | None, found: str) -> None:
    """Compare what was declared with what came.

    Raises:
        RefusedError: 422, since they differ.
    """
    if expected is not None and expected != found:
        raise RefusedError(422, f"the content has SHA-256 {found}, not {expected}: it was changed on its way")


def checksum(header: str) -> tuple[str, bytes]:
    """Algorithm and digest of tus's Upload-Checksum.

    Raises:
        RefusedError: 400, since it cannot be read, or the algorithm is none of ours.
    """
    algorithm, _, text = header.strip().partition(" ")
    raw = _decoded(text)
    if {"sha256": 32, "sha1": 20}.get(algorithm) != len(raw):
        raise RefusedError(
            400, "Upload-Checksum cannot be read: send sha256 or sha1, a blank, and the digest in base64"
        )
    return algorithm, raw


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
