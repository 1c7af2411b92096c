"""Content that is being written to a store over a network: it is cut into chunks, of which a few are in flight."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from file_transfer.chunks import Chunk, Data, NextKey

CHUNK_BYTES = 4 * 1024 * 1024
"""The size of all chunks but the last. Half of it costs a third more CPU time, twice of it twice the memory."""

_IN_FLIGHT = 2
"""Chunks of one transfer that are in flight besides the one being filled, so a transfer takes 12 MiB of memory."""

_LARGEST_BATCH = 16
_BATCH_OF_UNKNOWN_SIZE = 4

Put = Callable[[NextKey, bytearray], str]
"""Stores a chunk under the next key, or under a later one if that fails, and returns the key it is stored under."""


def batch(size: int | None) -> int:
    """Return how many keys to choose at once for this many more bytes; None means unknown."""
    return _BATCH_OF_UNKNOWN_SIZE if size is None else min(max(-(-size // CHUNK_BYTES), 1), _LARGEST_BATCH)


class IncomingChunks:
    """Content that `put` stores chunk by chunk, in threads of the pool. As a context, it ends with `stop`."""

    def __init__(self, put: Put, pool: ThreadPoolExecutor, next_key: NextKey) -> None:
        self._put = put
        self._pool = pool
        self._next_key = _OneAtATime(next_key)
        self._buffer = bytearray()
        self._in_flight: deque[tuple[Future[str], int]] = deque()
        self._chunks: list[Chunk] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write(self, data: Data) -> None:
        """See `IncomingContent.write`."""
        remaining = memoryview(data)
        while remaining:
            taken = remaining[: CHUNK_BYTES - len(self._buffer)]
            self._buffer += taken
            remaining = remaining[len(taken) :]
            if len(self._buffer) == CHUNK_BYTES:
                self._send()

    def keep(self) -> list[Chunk]:
        """See `IncomingContent.keep`."""
        size, last = len(self._buffer), None
        if size:
            last = self._put(self._next_key, self._buffer)  # in this thread, which has nothing else to do
        while self._in_flight:
            self._settle()
        if last:
            self._chunks.append(Chunk(last, size))
        return self._chunks

    def stop(self) -> None:
        """Wait for chunks in flight, so that nothing is stored under their keys after this."""
        for future, _ in self._in_flight:
            future.cancel()
        while self._in_flight:
            future, _ = self._in_flight.popleft()
            if not future.cancelled():
                future.exception()

    def _send(self) -> None:
        if len(self._in_flight) == _IN_FLIGHT:
            self._settle()
        content, self._buffer = self._buffer, bytearray()
        self._in_flight.append((self._pool.submit(self._put, self._next_key, content), len(content)))

    def _settle(self) -> None:
        future, size = self._in_flight.popleft()
        self._chunks.append(Chunk(future.result(), size))


class _OneAtATime:
    """Calls `next_key` from one thread at a time."""

    def __init__(self, next_key: NextKey) -> None:
        self._next_key = next_key
        self._lock = threading.Lock()

    def __call__(self, *, fresh: bool = False) -> str:
        with self._lock:
            return self._next_key(fresh=fresh)
