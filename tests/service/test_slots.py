"""Response bodies from files: how they are sent, and the slots that they hold."""

import io
import socket
from collections.abc import Iterator

import pytest

from file_transfer.errors import RefusedError
from file_transfer.slots import FileBody, Slots


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
