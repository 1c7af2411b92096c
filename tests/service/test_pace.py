"""How slowly a body may come."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from file_transfer import pace
from file_transfer.pace import Pace, PacedSocket


class Connection:
    """A connection on which each receipt takes some time; None is nothing within the time limit."""

    def __init__(self, receipts: list[tuple[float, bytes | None]]) -> None:
        self._receipts = receipts
        self.now = 0.0

    def setsockopt(self, *_: Any) -> None:
        pass

    def recv(self, _: int) -> bytes:
        seconds, data = self._receipts.pop(0)
        self.now += seconds
        if data is None:
            raise BlockingIOError
        return data


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[bytes]]:
    """A function that yields what is received at a pace of at least 10 bytes in 30 seconds."""

    def receive(*receipts: tuple[float, bytes | None], working: float = 0) -> Iterator[bytes]:
        connection = Connection(list(receipts))
        monkeypatch.setattr(pace.time, "monotonic", lambda: connection.now)
        paced = PacedSocket(connection, Pace(min_bytes=10, seconds=30))  # type: ignore[arg-type] # a part of a socket
        while data := paced.recv(100):
            yield data
            connection.now += working

    return receive


def test_a_body_that_comes_fast_enough_is_received(received: Callable[..., Iterator[bytes]]) -> None:
    body = received((29, b"0123456789"), (30, None), (29, b"0123456789"), (29, b"x"), (0, b""))

    assert b"".join(body) == b"01234567890123456789x"


def test_all_that_came_is_received_before_a_slow_body_fails(received: Callable[..., Iterator[bytes]]) -> None:
    body = received((20, b"1"), (20, b"2"), (20, b"3"))

    assert (next(body), next(body)) == (b"1", b"2")
    with pytest.raises(TimeoutError, match="less than 10 bytes came in 30 seconds"):
        next(body)


def test_a_body_that_stops_fails(received: Callable[..., Iterator[bytes]]) -> None:
    body = received((0, b"0123456789"), (30, None), (30, None), (30, b"too late"))

    assert next(body) == b"0123456789"
    with pytest.raises(TimeoutError):
        next(body)


def test_time_in_which_the_service_works_does_not_count(received: Callable[..., Iterator[bytes]]) -> None:
    assert b"".join(received((1, b"1"), (1, b"2"), (1, b"3"), (0, b""), working=1000)) == b"123"


def test_the_kernel_waits_no_longer_than_a_body_may_stop_and_only_for_a_body() -> None:
    here, there = socket.socketpair()
    with here, there:
        paced = PacedSocket(there, Pace(min_bytes=10, seconds=30))
        here.sendall(b"x")

        assert paced.recv(1) == b"x"
        assert there.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)[0] == 30
        paced.end()
        assert there.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)[0] == 0
