"""Connections that are cut at their deadline, and nothing else that is."""

import socket
from collections.abc import Iterator

import pytest

from file_transfer.index.deadline import Deadlines


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    opened = Deadlines()
    yield opened
    opened.close()


def test_a_connection_is_cut_at_its_deadline(deadlines: Deadlines) -> None:
    here, there = socket.socketpair()
    there.settimeout(30)

    with here, there, deadlines.limit(here.fileno(), 0.1):
        assert there.recv(1) == b""


def test_only_what_takes_too_long_is_cut(deadlines: Deadlines) -> None:
    ended, hanging = socket.socketpair(), socket.socketpair()
    with deadlines.limit(ended[0].fileno(), 0.05):
        pass
    hanging[1].settimeout(30)
    with deadlines.limit(hanging[0].fileno(), 0.1):
        assert hanging[1].recv(1) == b""

    ended[0].sendall(b"x")
    assert ended[1].recv(1) == b"x"


def test_a_descriptor_that_somebody_else_has_got_meanwhile_is_not_cut(deadlines: Deadlines) -> None:
    closed, peer = socket.socketpair()
    hanging, other_peer = socket.socketpair()
    number = closed.fileno()

    with peer, deadlines.limit(number, 0.05):
        closed.close()  # as the database's client does once it finds the connection broken
        stranger, stranger_peer = socket.socketpair()
        assert number in (stranger.fileno(), stranger_peer.fileno())
        other_peer.settimeout(30)
        with deadlines.limit(hanging.fileno(), 0.1):
            assert other_peer.recv(1) == b""

        stranger.sendall(b"x")
        assert stranger_peer.recv(1) == b"x"


def test_closing_stops_the_thread(deadlines: Deadlines) -> None:
    here, there = socket.socketpair()
    with here, there, deadlines.limit(here.fileno(), 60):
        thread = deadlines._thread

    deadlines.close()
    assert thread
    assert not thread.is_alive()
