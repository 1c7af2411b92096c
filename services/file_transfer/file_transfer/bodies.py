"""Reading a request's body as it streams in: a body that is cut short is never taken for whole."""

import socket
from collections.abc import Iterator
from typing import BinaryIO

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException

from file_transfer.errors import RefusedError
from file_transfer.storage import Data

CHUNK = 1024 * 1024
"""Bytes that are read at once: enough for the hash to be worth a thread, little enough for many transfers."""


class CutShortError(RefusedError):
    """The client went away, or sent less than it had declared; what came is what it sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, f"the body is broken or cut short: {reason}", kind="cut_short")


def chunks(body: BinaryIO, content_length: int) -> Iterator[Data]:
    """The body's bytes; `content_length` is -1 if unknown. What has come stays while the next comes, no longer.

    Raises:
        CutShortError: that was not all.
    """
    received = 0
    straight = isinstance(body, Body) and isinstance(body.reader, LengthReader)
    for data in _received(body) if straight else _read(body, content_length):
        received += len(data)
        yield data
    refuse_cut(received, content_length)


def _received(body: Body) -> Iterator[Data]:
    """From the socket into two buffers in turn: gunicorn's own reader copies every byte five times."""
    reader = body.reader
    early = reader.unreader.take_buffered()  # it came with the request's head
    reader.unreader.unread(early[reader.length :])
    if taken := early[: reader.length]:
        reader.length -= len(taken)
        yield taken
    buffers = [memoryview(bytearray(min(CHUNK, reader.length))) for _ in range(2)]
    while reader.length:
        buffers.reverse()
        room = buffers[0][: reader.length]
        try:
            size = reader.unreader.sock.recv_into(room, 0, socket.MSG_WAITALL)
        except OSError as error:
            body.failed = True
            raise CutShortError(line(error)) from error
        if not size:
            break
        reader.length -= size
        yield room[:size]


def _read(body: BinaryIO, content_length: int) -> Iterator[Data]:
    received = 0
    while received != content_length:
        data = read(body, CHUNK if content_length < 0 else min(CHUNK, content_length - received))
        if not data:
            break
        received += len(data)
        yield data


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
