"""Floods by HTTP/2 and TLS: the edge answers others meanwhile, and one address gets no more than its share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    Frames,
    connect,
    frame,
    literal,
    request,
    send,
)
from loopback_edge import ATTACKER, Edge, edge
from running import Server, serving, wait_until

from components.edge_config import Limits

SECONDS = 2
GET = request(b"GET", b"/files")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, server: Server, program: Callable[[str], str]) -> Iterator[Edge]:
    with edge(tmp_path_factory.mktemp("edge"), program, server, tls=True) as running:
        yield running


def rapid_reset() -> bytes:
    return b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, stream, GET) + frame(RST_STREAM, 0, stream, bytes([0, 0, 0, 8]))
        for stream in range(1, 20_000, 2)
    )


def endless_headers() -> bytes:
    block = b"".join(literal(b"x-%d" % number, bytes(100)) for number in range(100))
    return frame(HEADERS, 0, 1, GET) + frame(CONTINUATION, 0, 1, block) * 1000


def header_bomb() -> bytes:
    large = literal(b"x", b"a" * 3900, indexed=True)
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, GET + large + b"\xbe" * 10_000) * 20


def control_frames() -> bytes:
    return (frame(PING, 0, 0, bytes(8)) + frame(SETTINGS, 0, 0)) * 20_000


def empty_data() -> bytes:
    return frame(HEADERS, END_HEADERS, 1, request(b"PUT", b"/files/x")) + frame(DATA, 0, 1) * 50_000


@pytest.mark.parametrize("flood", [rapid_reset, endless_headers, header_bomb, control_frames, empty_data])
def test_a_flood_of_frames_delays_nobody_else(front: Edge, flood: Callable[[], bytes]) -> None:
    sent = flood()
    with ExitStack() as stack:
        for _ in range(10):
            send(stack.enter_context(connect(front.port, ATTACKER)), sent)

        answer = requests.get(f"https://127.0.0.1:{front.port}/files", timeout=SECONDS, verify=str(front.certificate))
        assert answer.status_code == 200
        assert front.is_healthy()


@pytest.mark.parametrize("flood", [endless_headers, header_bomb])
def test_endless_headers_end_the_connection_or_the_request(front: Edge, flood: Callable[[], bytes]) -> None:
    with connect(front.port, ATTACKER) as connection:
        send(connection, flood())
        frames = Frames(connection)
        found = set()
        while (arrived := frames.next()) and arrived[0] != RST_STREAM:
            found.add(arrived[0])

        assert DATA not in found


def test_requests_of_one_connection_count_like_connections(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    upload = request(b"PUT", b"/files/x")
    with (
        edge(tmp_path, program, server, tls=True, limits=Limits(connections=10)) as front,
        connect(front.port, ATTACKER) as connection,
    ):
        for stream in range(1, 61, 2):
            connection.sendall(frame(HEADERS, END_HEADERS, stream, upload) + frame(DATA, 0, stream, b"1"))
        frames = Frames(connection)
        refused: set[int] = set()
        while len(refused) < 20:
            kind, _, stream = frames.next() or pytest.fail("the edge closed the connection")
            refused |= {stream} if kind == HEADERS else set()

        assert refused == set(range(21, 61, 2))
        wait_until(lambda: server.running_transfers() == 10)


def test_browsers_that_came_by_tls_come_by_tls_for_a_year(front: Edge) -> None:
    for path in ("/", "/%41", "/files/unknown"):
        url = requests.Request("GET", f"https://127.0.0.1:{front.port}").prepare()
        url.url = f"https://127.0.0.1:{front.port}{path}"
        with requests.Session() as session:
            found = session.send(url, timeout=10, verify=str(front.certificate))
        assert found.headers["Strict-Transport-Security"] == "max-age=31536000"
