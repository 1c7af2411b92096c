"""Reading of request bodies as they arrive. A body that is cut short is an error, never a shorter body."""

import socket
from collections.abc import Iterator
from typing import BinaryIO

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException

from file_transfer.chunks import Data
from file_transfer.errors import RefusedError

BLOCK_BYTES = 1024 * 1024
"""Bytes read at once: enough to hash them in a thread of their own, and few enough for many transfers at a time."""


class CutShortError(RefusedError):
    """The client disconnected, or sent fewer bytes than it had declared. What has been read is what it sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, f"the body is broken or cut short: {reason}", kind="cut_short")


class TooSlowError(CutShortError):
    """The client sent too slowly. What has been read is what it sent."""

    def __init__(self, reason: str) -> None:
        RefusedError.__init__(self, 408, f"the body came too slowly: {reason}", kind="too_slow")


def blocks(body: BinaryIO, content_length: int) -> Iterator[Data]:
    """Yield the body block by block. Each block is valid until the next one has been read.

    Args:
        body: the request's body.
        content_length: the declared length in bytes, -1 if unknown.

    Raises:
        CutShortError: the body ended early, or came too slowly.
    """
    received = 0
    can_read_socket = isinstance(body, Body) and isinstance(body.reader, LengthReader)
    for data in _from_socket(body) if can_read_socket else _from_file(body, content_length):
        received += len(data)
        yield data
    check_complete(received, content_length)


def _from_socket(body: Body) -> Iterator[Data]:
    """Read from the socket into two alternating buffers, since gunicorn's own reader copies every byte five times."""
    reader = body.reader
    early = reader.unreader.take_buffered()  # arrived together with the request's headers
    reader.unreader.unread(early[reader.length :])
    if taken := early[: reader.length]:
        reader.length -= len(taken)
        yield taken
    buffers = [memoryview(bytearray(min(BLOCK_BYTES, reader.length))) for _ in range(2)]
    while reader.length:
        buffers.reverse()
        buffer = buffers[0][: reader.length]
        try:
            size = reader.unreader.sock.recv_into(buffer, 0, socket.MSG_WAITALL)
        except OSError as error:
            body.failed = True
            raise _broken(error) from error
        if not size:
            break
        reader.length -= size
        yield buffer[:size]


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
    except (OSError, ParseException) as error:
        # gunicorn finds broken chunked encoding only when it reads it, and raises ParseException.
        raise _broken(error) from error


def check_complete(received: int, content_length: int) -> None:
    """Check that as many bytes arrived as were declared.

    Raises:
        CutShortError: fewer bytes arrived.
    """
    if received < content_length:
        raise CutShortError(f"received {received} of {content_length} bytes")


def one_line(error: Exception) -> str:
    """Return the error's message on one line."""
    return " ".join(str(error).split()).lower()


def _broken(error: Exception) -> CutShortError:
    kind = TooSlowError if isinstance(error, TimeoutError) else CutShortError
    return kind(one_line(error))
