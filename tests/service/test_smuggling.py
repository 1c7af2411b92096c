"""Requests that two servers could read differently, and headers, trailers and forms without end.

Each is sent to the edge and to a replica. Whatever the answer is, nothing after the request may be taken for another
one, and no file may appear that was not sent.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import requests
from loopback_edge import Edge, edge, received, statuses
from running import Server, serving

LINES = b"".join(b"X-%d: b\r\n" % number for number in range(20_000))
HIDDEN = b"PUT /files/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\ns"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service"), PACE_SECONDS="1") as running:
        yield running


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, server: Server, program: Callable[[str], str]) -> Iterator[Edge]:
    with edge(tmp_path_factory.mktemp("edge"), program, server) as running:
        yield running


@pytest.fixture(params=["edge", "replica"])
def connected(request: pytest.FixtureRequest, front: Edge, server: Server) -> Iterator[socket.socket]:
    """A connection to one of the two."""
    with front.connect() if request.param == "edge" else server.connect() as connection:
        yield connection


def answers(connection: socket.socket, content: bytes) -> list[int]:
    """Send something and its end, and return the statuses of all responses."""
    with suppress(OSError):  # it was refused before its end
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
    return statuses(received(connection))


def put(*lines: bytes) -> bytes:
    return b"\r\n".join([b"PUT /files/x HTTP/1.1", b"Host: x", *lines, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "content",
    [
        put(b"Content-Length: 6", CHUNKED) + b"0\r\n\r\n" + HIDDEN,
        put(b"Content-Length: 4", CHUNKED) + b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n",
        put(b"Content-Length: 1", b"Content-Length: %d" % (1 + len(HIDDEN))) + b"x" + HIDDEN,
        put(b"Content-Length: 1, %d" % (1 + len(HIDDEN))) + b"x" + HIDDEN,
        put(b"Content-Length: +1") + b"x" + HIDDEN,
        put(b"Content-Length: 0x1") + b"x" + HIDDEN,
        put(b"Content-Length: -1") + HIDDEN,
        put(b"Content-Length : 1") + b"x" + HIDDEN,
        put(b"Transfer-Encoding : chunked") + b"0\r\n\r\n" + HIDDEN,
        put(CHUNKED, b"Transfer-Encoding: identity") + b"0\r\n\r\n" + HIDDEN,
        put(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n" + HIDDEN,
        put(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n" + HIDDEN,
        put(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n" + HIDDEN,
        put(b"X: y\rTransfer-Encoding: chunked") + b"0\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b"-1\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b"0x1\r\nx\r\n0\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b"f" * 20 + b"\r\nx\r\n0\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b"1\r\nxyz\r\n0\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b'1;a="\r\n"\r\nx\r\n0\r\n\r\n' + HIDDEN,
        put(CHUNKED) + b"1;" + b"a" * 20_000 + b"\r\nx\r\n0\r\n\r\n" + HIDDEN,
        put(CHUNKED) + b"1\r\nx\r\n0\r\n" + LINES + b"\r\n" + HIDDEN,
    ],
)
def test_an_ambiguous_request_is_refused_and_what_follows_is_no_request(
    connected: socket.socket, server: Server, content: bytes
) -> None:
    found = answers(connected, content)

    assert len(found) <= 1
    assert requests.delete(f"{server.url}/files/smuggled", timeout=10).status_code == 404


@pytest.mark.parametrize(
    "lines",
    [
        [b"X: y\0"],
        [LINES.strip()],
        [b"X: " + b"a" * 1_000_000],
        [b"a" * 100_000 + b": x"],
        [b"Cookie: " + b"a=b; " * 20_000],
    ],
    ids=["nul", "many", "long", "long-name", "cookies"],
)
def test_invalid_headers_and_headers_without_end_are_refused(connected: socket.socket, lines: list[bytes]) -> None:
    assert answers(connected, put(*lines)) in ([400], [431], [])


@pytest.mark.parametrize(
    ("trailer", "expected"),
    [(b"Authorization: Bearer x", {400}), (b"Content-Length: 9", {400}), (b"X-Anything: x", {200, 201})],
)
def test_a_trailer_changes_nothing(connected: socket.socket, trailer: bytes, expected: set[int]) -> None:
    content = put(CHUNKED, b"Connection: close") + b"1\r\nx\r\n0\r\n" + trailer + b"\r\n\r\n"

    assert set(answers(connected, content)) <= expected


@pytest.mark.parametrize("route", [b"/upload", b"/download"])
@pytest.mark.parametrize(
    "body",
    [
        b'--b\r\nContent-Disposition: form-data; name="sha256"\r\n\r\n' + b"a" * 2_000_000 + b"\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + b"a" * 2_000_000 + b"\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="sha256"\r\n\r\n\r\n' * 1_000_000,
        b"--b\r\n" + b"X: y\r\n" * 300_000 + b"\r\n",
        b"--b\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"a" * 2_000_000,
        b"--b--\r\n" + b"a" * 3_000_000,
    ],
    ids=["sha256", "name", "million-parts", "part-headers", "part-header", "preamble", "epilogue"],
)
def test_a_form_without_end_is_refused_long_before_it(
    connected: socket.socket, server: Server, route: bytes, body: bytes
) -> None:
    kind = b"Content-Type: multipart/form-data; boundary=b"
    chunk = b"%x\r\n" % 2**40 + body  # a chunk without an end, so that only the form's content can be why it is refused
    with suppress(OSError):  # it was refused before all of it was sent
        connected.sendall(b"\r\n".join([b"POST %s HTTP/1.1" % route, b"Host: x", kind, CHUNKED, b"", chunk]))

    assert connected.makefile("rb").readline().split()[1] in (b"400", b"413")
    assert server.running_transfers() == 0
