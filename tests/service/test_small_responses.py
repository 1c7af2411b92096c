"""Small responses are sent at once with their headers."""

from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from file_transfer.gunicorn_server.small_responses import SmallResponse

KIB = 1024


class Recorder:
    """A connection that records what is sent at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(bytes(data))


def begin(connection: Any, *headers: tuple[str, str]) -> SmallResponse:
    request = SimpleNamespace(version=(1, 1), method="GET", should_close=lambda: False)
    response = SmallResponse(request, connection, Config())
    response.start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    return response


@pytest.mark.parametrize(
    ("headers", "expected"),
    [([("Content-Length", "3")], b"\r\n\r\none"), ([], b"\r\n\r\n3\r\none\r\n")],
    ids=["length", "chunked"],
)
def test_the_first_block_comes_with_the_headers(headers: list[tuple[str, str]], expected: bytes) -> None:
    connection = Recorder()

    begin(connection, *headers).write(b"one")

    assert len(connection.sent) == 1
    assert connection.sent[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert connection.sent[0].endswith(expected)


def test_a_large_block_is_not_copied() -> None:
    connection, block = Recorder(), bytes(100 * KIB)

    begin(connection, ("Content-Length", str(len(block)))).write(block)

    assert connection.sent[1:] == [block]


def test_following_blocks_are_sent_as_they_come() -> None:
    connection = Recorder()
    response = begin(connection, ("Content-Length", "6"))

    response.write(b"one")
    response.write(b"two")

    assert connection.sent[1:] == [b"two"]
