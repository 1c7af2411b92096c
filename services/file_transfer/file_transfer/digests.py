"""Digests in headers (RFC 9530 and tus): sent with every file, and checked when a client sends one."""

import base64
import re
from collections.abc import Mapping

from file_transfer.errors import DigestError, InvalidRequestError

_SHA256 = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]*):\s*(?=,|$)", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]{64}")


def repr_digest(sha256: str) -> str:
    """Return the value of the header Repr-Digest for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def declared(headers: Mapping[str, str | None]) -> str | None:
    """Return the SHA-256 in hex that the client declares for the content, or None if it declares none.

    A request always contains the whole file, so Repr-Digest and Content-Digest mean the same.

    Raises:
        InvalidRequestError: the header is invalid.
    """
    for name in ("Repr-Digest", "Content-Digest"):
        text = headers.get(name)
        if text and "sha-256" in text.lower():
            found = _SHA256.search(text)
            raw = _decoded(found[1]) if found else b""
            if len(raw) != 32:
                raise InvalidRequestError(f"{name} is invalid: send sha-256=:BASE64:")
            return raw.hex()
    return None


def from_hex(text: str) -> str:
    """Return a SHA-256 in lower-case hex.

    Raises:
        InvalidRequestError: the text is not a SHA-256.
    """
    if not _HEX.fullmatch(text.strip()):
        raise InvalidRequestError("sha256 is invalid: send 64 hexadecimal digits")
    return text.strip().lower()


def check(expected: str | None, received: str) -> None:
    """Compare the declared SHA-256, if any, with that of the received content.

    Raises:
        DigestError: they differ.
    """
    if expected is not None and expected != received:
        raise DigestError(f"the content has SHA-256 {received}, not {expected}: it was damaged on the way")


def parse_checksum(header: str) -> tuple[str, bytes]:
    """Return the algorithm and the digest of tus's Upload-Checksum.

    Raises:
        InvalidRequestError: the header is invalid, or names another algorithm.
    """
    algorithm, _, text = header.strip().partition(" ")
    raw = _decoded(text)
    if {"sha256": 32, "sha1": 20}.get(algorithm) != len(raw):
        raise InvalidRequestError("Upload-Checksum is invalid: send sha256 or sha1, a space, and the digest in base64")
    return algorithm, raw


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # not base64, or not even ASCII
        return b""
