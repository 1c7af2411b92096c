"""What a request's body and environment are in gunicorn."""

import socket
from collections.abc import Iterator
from typing import Any, BinaryIO

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import ParseException

READ_ERRORS = (OSError, ParseException)
"""What reading a body may raise. gunicorn finds broken chunked encoding only when it reads it: a ParseException."""


def connection(environ: dict[str, Any]) -> socket.socket | None:
    """Return the connection of a request, or None if the request did not come through gunicorn."""
    return environ.get("gunicorn.socket")


def can_be_received(body: BinaryIO) -> bool:
    """Return whether `receive` can read the body: it comes from gunicorn, and its length is known."""
    return isinstance(body, Body) and isinstance(body.reader, LengthReader)


def receive(body: Any, block_bytes: int) -> Iterator[bytes | memoryview]:  # noqa: ANN401 - gunicorn ships no types
    """Receive the body into two alternating buffers, since gunicorn's own reader copies every byte five times.

    It ends early if the client does. Each block is valid until the next one has been received.

    Raises:
        OSError: the connection broke, or the client sent too slowly. The connection cannot be used again.
    """
    reader = body.reader
    early = reader.unreader.take_buffered()  # arrived together with the request's headers
    reader.unreader.unread(early[reader.length :])
    if taken := early[: reader.length]:
        reader.length -= len(taken)
        yield taken
    buffers = [memoryview(bytearray(min(block_bytes, reader.length))) for _ in range(2)]
    while reader.length:
        buffers.reverse()
        buffer = buffers[0][: reader.length]
        try:
            size = reader.unreader.sock.recv_into(buffer, 0, socket.MSG_WAITALL)
        except OSError:
            body.failed = True
            raise
        if not size:
            break
        reader.length -= size
        yield buffer[:size]
