"""Reading of request bodies as they arrive. A body that is cut short is an error, never a shorter body."""

from collections.abc import Iterator
from typing import BinaryIO

from file_transfer.chunks import Data
from file_transfer.errors import CutShortError, TooSlowError
from file_transfer.gunicorn_server import request_bodies

BLOCK_BYTES = 1024 * 1024
"""Bytes read at once: enough to hash them in a thread of their own, and few enough for many transfers at a time."""

_CUT_SHORT = "the body is broken or cut short"


def blocks(body: BinaryIO, content_length: int) -> Iterator[Data]:
    """Yield the body block by block. Each block is valid until the next one has been read.

    Args:
        body: the request's body.
        content_length: the declared length in bytes, -1 if unknown.

    Raises:
        CutShortError: the body ended early, or came too slowly.
    """
    received = 0
    can_read_socket = request_bodies.can_be_received(body)
    for data in _from_socket(body) if can_read_socket else _from_file(body, content_length):
        received += len(data)
        yield data
    check_complete(received, content_length)


def _from_socket(body: BinaryIO) -> Iterator[Data]:
    try:
        yield from request_bodies.receive(body, BLOCK_BYTES)
    except OSError as error:
        raise _broken(error) from error


def _from_file(body: BinaryIO, content_length: int) -> Iterator[Data]:
    received = 0
    while received != content_length:
        data = read(body, BLOCK_BYTES if content_length < 0 else min(BLOCK_BYTES, content_length - received))
        if not data:
            break
        received += len(data)
        yield data


def read(body: BinaryIO, size: int) -> bytes:
    """Read up to `size` bytes.

    Raises:
        CutShortError: the body is broken.
    """
    try:
        return body.read(size)
    except request_bodies.READ_ERRORS as error:
        raise _broken(error) from error


def check_complete(received: int, content_length: int) -> None:
    """Check that as many bytes arrived as were declared.

    Raises:
        CutShortError: fewer bytes arrived.
    """
    if received < content_length:
        raise CutShortError(f"{_CUT_SHORT}: received {received} of {content_length} bytes")


def one_line(error: Exception) -> str:
    """Return the error's message on one line."""
    return " ".join(str(error).split()).lower()


def _broken(error: Exception) -> CutShortError:
    if isinstance(error, TimeoutError):
        return TooSlowError(f"the body came too slowly: {one_line(error)}")
    return CutShortError(f"{_CUT_SHORT}: {one_line(error)}")
