"""Response bodies from files: how they are sent, and the slots that they hold."""

import io
import socket
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from bottle import Bottle, HTTPResponse

from file_transfer.errors import RefusedError
from file_transfer.slots import FileBody, Slots, StreamedBody


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        yield client


def is_corked(connection: socket.socket) -> bool:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 1


def test_only_full_packets_are_sent_until_the_end_of_the_file(connection: socket.socket) -> None:
    file = FileBody(io.BytesIO(b"content"), 7, Slots(1).take(), connection)

    assert is_corked(connection)
    file.close()
    assert not is_corked(connection)


def test_a_disconnected_client_frees_its_slot(connection: socket.socket) -> None:
    slots = Slots(1)
    file = FileBody(io.BytesIO(b"content"), 7, slots.take(), connection)
    with pytest.raises(RefusedError):
        slots.take()

    connection.close()
    file.close()

    slots.take().give_back()


def test_a_download_keeps_no_block_that_was_sent() -> None:
    slots, size = Slots(1), 2**20
    routes = Bottle()
    routes.route("/", "GET", lambda: HTTPResponse(StreamedBody((bytes(size) for _ in range(8)), slots.take())))
    environ: dict[str, Any] = {"PATH_INFO": "/", "REQUEST_METHOD": "GET", "wsgi.errors": io.StringIO()}

    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        received = sum(len(block) for block in routes(environ, lambda *_: None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert received == 8 * size
    assert peak - before < 2.5 * size, "the one that was sent, and the next one"


def test_a_client_leaves_a_quarter_of_the_slots_to_others() -> None:
    slots = Slots(8)
    taken = [slots.take("192.0.2.1") for _ in range(6)]

    with pytest.raises(RefusedError, match="too many transfers"):
        slots.take("192.0.2.1")
    others = [slots.take("192.0.2.2"), slots.take()]
    taken.pop().give_back()
    taken.append(slots.take("192.0.2.1"))
    for slot in (*taken, *others):
        slot.give_back()
        slot.give_back()

    taken = [slots.take() for _ in range(8)]
    with pytest.raises(RefusedError):
        slots.take("192.0.2.3")
    for slot in taken:
        slot.give_back()
