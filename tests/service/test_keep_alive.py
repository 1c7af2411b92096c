"""Requests that follow each other on one connection."""

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from gunicorn.workers.gthread import ThreadWorker
from running import Server, serving

from file_transfer.gunicorn_server.keep_alive import KeepAliveWorker

THREADS = 5
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service"), WORKERS="1", THREADS=str(THREADS)) as running:
        yield running


def all_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def one_response(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"alive\n"):
        received += connection.recv(65536)
    return received


def test_requests_that_are_sent_together_are_answered_in_turn(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(50 * REQUEST + LAST)

        assert all_of(connection).count(b"alive\n") == 51


def test_idle_connections_leave_all_threads_to_others(server: Server) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(4 * THREADS)]
        for connection in idle:
            connection.sendall(REQUEST)
            assert one_response(connection).startswith(b"HTTP/1.1 200")

        assert requests.get(f"{server.url}/healthz", timeout=10).ok
        for connection in idle:
            connection.sendall(LAST)
            assert b"alive\n" in all_of(connection)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> KeepAliveWorker:
    """A worker with a thread pool that does nothing, which handles every request at once."""
    monkeypatch.setattr(ThreadWorker, "handle", Mock(side_effect=[True] * 3))  # a fourth request is an error
    made = KeepAliveWorker.__new__(KeepAliveWorker)
    made.alive = True
    made.tpool = Mock()
    made._waiting = deque()
    return made


def handled(worker: KeepAliveWorker) -> int:
    """How many requests gunicorn's own worker has handled."""
    return int(super(KeepAliveWorker, worker).handle.call_count)


def endless() -> Any:
    """A connection whose next request has always arrived."""
    return SimpleNamespace(parser=SimpleNamespace(unreader=SimpleNamespace(buf=BytesIO(b"GET"))))


def test_a_thread_serves_another_connection_that_waits(
    worker: KeepAliveWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("file_transfer.gunicorn_server.keep_alive._LONGEST_SECONDS", float("inf"))
    worker.enqueue_req(endless())
    worker.enqueue_req(endless())

    assert worker.handle(endless())
    assert handled(worker) == 1


def test_a_thread_serves_a_busy_connection_for_a_limited_time(
    worker: KeepAliveWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Mock(monotonic=Mock(side_effect=[0, 0.09, 0.11]))
    monkeypatch.setattr("file_transfer.gunicorn_server.keep_alive.time", clock)
    worker.enqueue_req(endless())

    assert worker.handle(endless())
    assert handled(worker) == 2


def test_a_worker_that_stops_gives_its_connections_back(
    worker: KeepAliveWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("file_transfer.gunicorn_server.keep_alive._LONGEST_SECONDS", float("inf"))
    worker.enqueue_req(endless())
    worker.alive = False

    assert worker.handle(endless())
    assert handled(worker) == 1
