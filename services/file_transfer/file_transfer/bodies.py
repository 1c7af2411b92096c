"""Reading a request's body as it streams in: a body that is cut short is never taken for whole."""

from collections.abc import Iterator
from typing import BinaryIO

from gunicorn.http.errors import ParseException

from file_transfer.errors import RefusedError

CHUNK = 256 * 1024
"""Bytes that are read at once: enough for the hash to run without Python's lock, little enough for many at a time."""


class CutShortError(RefusedError):
    """The client went away, or sent less than it had declared; what came is what it sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, f"the body is broken or cut short: {reason}")


def chunks(body: BinaryIO, content_length: int) -> Iterator[bytes]:
    """The body's bytes; `content_length` is -1 if unknown.

    Raises:
        CutShortError: that was not all.
    """
    received = 0
    while received != content_length:
        wanted = CHUNK if content_length < 0 else min(CHUNK, content_length - received)
        data = read(body, wanted)
        if not data:
            break
        received += len(data)
        yield data
    refuse_cut(received, content_length)


def read(body: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes; errors as for `chunks`."""
    try:
        return body.read(size)
    except (OSError, ParseException) as error:
        # Broken chunks, too: gunicorn finds out only when they are read.
        raise CutShortError(line(error)) from error


def refuse_cut(received: int, content_length: int) -> None:
    """Refuse what is less than was declared; errors as for `chunks`."""
    if received < content_length:
        raise CutShortError(f"{received} of {content_length} bytes came")


def line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()).lower()
