"""The parts that stores share: ranges, chunks that are read ahead, chunks in flight, names that are resolved."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from running import wait_until

from file_transfer.chunks import Chunk, MissingChunkError, NextKey, StorageUnavailableError, blocks
from file_transfer.stores import resolver as resolver_module
from file_transfer.stores.budget import Budget
from file_transfer.stores.incoming import CHUNK_BYTES, IncomingChunks
from file_transfer.stores.ranges import ChunkRange, ranges, read_ahead
from file_transfer.stores.resolver import Resolver

CHUNKS = [Chunk("a", 10), Chunk("b", 3000), Chunk("c", 10)]


def listed(found: list[ChunkRange]) -> list[tuple[str, int, int]]:
    return [(part.chunk.key, part.start, part.end) for part in found]


def test_a_range_is_taken_from_the_chunks_that_contain_it() -> None:
    end = 3000
    assert listed(list(ranges(CHUNKS, 0, 10))) == [("a", 0, 10)]
    assert listed(list(ranges(CHUNKS, 9, 2))) == [("a", 9, 10), ("b", 0, 1)]
    assert listed(list(ranges(CHUNKS, 10 + end + 2, 3))) == [("c", 2, 5)]
    assert listed(list(ranges(CHUNKS, 0, end + 20))) == [("a", 0, 10), ("b", 0, end), ("c", 0, 10)]
    assert list(ranges(CHUNKS, 5, 0)) == []
    assert list(ranges([], 0, 0)) == []


def test_a_download_reads_one_chunk_ahead_and_no_more() -> None:
    fetched: list[str] = []

    def fetch(wanted: ChunkRange) -> bytes:
        fetched.append(wanted.chunk.key)
        return wanted.chunk.key.encode()

    chunks = [Chunk(str(number), 1) for number in range(9)]
    with ThreadPoolExecutor(1) as pool:
        content = read_ahead(pool, fetch, ranges(chunks, 0, 9))
        assert next(content) == b"0"
        pool.submit(int).result()  # the only thread has done all that was submitted before
        assert sorted(fetched) == ["0", "1"]
        assert next(content) == b"1"
        pool.submit(int).result()
        assert sorted(fetched) == ["0", "1", "2"]
        assert b"".join(blocks(content)) == b"2345678"


def test_an_error_in_the_middle_reaches_the_reader_in_its_place() -> None:
    def fetch(wanted: ChunkRange) -> bytes:
        if wanted.chunk.key == "1":
            raise MissingChunkError("gone")
        return b"x"

    with ThreadPoolExecutor(1) as pool:
        content = read_ahead(pool, fetch, ranges([Chunk("0", 1), Chunk("1", 1)], 0, 2))
        assert next(content) == b"x"
        with pytest.raises(MissingChunkError):
            next(content)


class SlowPut:
    """Stores nothing, and that only when released. `running` is the number of calls under way."""

    def __init__(self) -> None:
        self.running = 0
        self.stored: list[int] = []
        self.released = threading.Semaphore(0)
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def __call__(self, next_key: NextKey, content: bytearray) -> str:
        with self._lock:
            self.running += 1
        self.released.acquire()
        with self._lock:
            self.running -= 1
            self.stored.append(len(content))
        if self.error:
            raise self.error
        return next_key()


class Numbers:
    def __init__(self) -> None:
        self._numbers = count()

    def __call__(self, *, fresh: bool = False) -> str:  # noqa: ARG002
        return str(next(self._numbers))


def test_a_transfer_has_two_chunks_in_flight_and_waits_before_it_sends_a_third() -> None:
    put = SlowPut()
    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(1) as writer:
        incoming = IncomingChunks(put, pool, Numbers())
        writing = writer.submit(incoming.write, bytes(4 * CHUNK_BYTES))
        wait_until(lambda: put.running == 2)
        assert not writing.done()
        put.released.release(4)
        writing.result(timeout=30)
        assert [chunk.size for chunk in incoming.keep()] == [CHUNK_BYTES] * 4


def test_a_chunk_that_failed_fails_the_upload() -> None:
    put = SlowPut()
    put.error = StorageUnavailableError("down")
    put.released.release(9)
    with ThreadPoolExecutor(8) as pool:
        incoming = IncomingChunks(put, pool, Numbers())
        incoming.write(bytes(CHUNK_BYTES + 1))
        with pytest.raises(StorageUnavailableError, match="down"):
            incoming.keep()
        incoming.stop()


def test_an_upload_that_is_given_up_has_nothing_in_flight_any_more() -> None:
    put = SlowPut()
    with ThreadPoolExecutor(8) as pool, ThreadPoolExecutor(1) as stopper:
        incoming = IncomingChunks(put, pool, Numbers())
        incoming.write(bytes(2 * CHUNK_BYTES))
        wait_until(lambda: put.running == 2)
        stopping = stopper.submit(incoming.stop)
        put.released.release()
        wait_until(lambda: put.running == 1)
        assert not stopping.done()
        put.released.release()
        stopping.result(timeout=30)
        assert put.running == 0


def test_a_budget_lets_no_more_bytes_through_than_its_limit() -> None:
    budget, entered, leave = Budget(10), threading.Semaphore(0), threading.Event()
    inside: list[int] = []

    def take(size: int) -> None:
        with budget.taken(size):
            inside.append(size)
            entered.release()
            leave.wait()

    with ThreadPoolExecutor(4) as pool:
        pool.submit(take, 6)
        entered.acquire()
        pool.submit(take, 4)
        entered.acquire()
        waiting = pool.submit(take, 11)
        assert inside == [6, 4]
        leave.set()
        waiting.result(timeout=30)
    assert inside == [6, 4, 11], "more than the limit goes alone"


def test_small_transfers_do_not_hold_up_a_large_one_that_came_before_them() -> None:
    budget, inside = Budget(10), list[int]()

    def take(size: int) -> None:
        with budget.taken(size):
            inside.append(size)

    with ThreadPoolExecutor(3) as pool:
        with budget.taken(6):
            waiting = []
            for count, size in enumerate((9, 1, 2), 1):
                waiting.append(pool.submit(take, size))
                wait_until(lambda count=count: len(budget._waiting) == count)
        for each in waiting:
            each.result(timeout=30)

    assert inside == [9, 1, 2]


def test_a_name_server_that_does_not_answer_costs_no_more_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, answers = Resolver(), threading.Event()
    monkeypatch.setattr(resolver_module, "_KEPT_SECONDS", 0)
    assert resolver.addresses("localhost:80") == ["127.0.0.1:80"]

    def slow(*_: object) -> list[object]:
        answers.wait()
        raise socket.gaierror

    monkeypatch.setattr(resolver_module, "_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert resolver.addresses("localhost:80") == ["127.0.0.1:80"], "the last known address"
    assert resolver.addresses("new:80") == []
    answers.set()


def test_a_name_that_has_no_address_any_more_keeps_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver()
    monkeypatch.setattr(resolver_module, "_KEPT_SECONDS", 0)
    assert resolver.addresses("localhost:80") == ["127.0.0.1:80"]

    def unknown(*_: object) -> list[object]:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert resolver.addresses("localhost:80") == ["127.0.0.1:80"]
