"""Content written to and read from a bucket, as chunks of which a few are transferred at the same time."""

import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import obstore
from obstore import exceptions
from obstore.store import S3Store

from file_transfer import metrics
from file_transfer.storage import Chunk, Data, StorageUnavailableError

CHUNK_BYTES = 4 * 1024 * 1024
"""The size of a chunk. SeaweedFS stores this much as one chunk of its own, so neither side holds more in memory."""

AHEAD = 2
"""Chunks of one transfer that are in flight besides the one being filled or sent."""

ChunkRange = tuple[str, int, int]
"""A range of a chunk: its key, the first byte, the number of bytes."""


class IncomingChunks:
    """Content that is being written to a bucket."""

    def __init__(self, store: S3Store, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool
        self._buffer = bytearray()
        self._in_flight: deque[Future[None]] = deque()
        self._chunks: list[Chunk] = []

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
        if self._buffer:
            self._send()
        while self._in_flight:
            self._in_flight.popleft().result()
        kept, self._chunks = self._chunks, []
        return kept

    def unkept(self) -> list[Chunk]:
        """Return the chunks that were written but not kept."""
        while self._in_flight:
            self._in_flight.popleft().exception()
        return self._chunks

    def _send(self) -> None:
        if len(self._in_flight) == AHEAD:
            self._in_flight.popleft().result()
        chunk = Chunk(uuid.uuid4().hex, len(self._buffer))
        self._chunks.append(chunk)
        self._in_flight.append(self._pool.submit(self._put, chunk.key, self._buffer))
        self._buffer = bytearray()

    def _put(self, key: str, content: bytearray) -> None:
        with translated_errors("put"):
            obstore.put(self._store, f"pieces/{key}", content, use_multipart=False)


def chunk_ranges(chunks: Sequence[Chunk], start: int, size: int) -> list[ChunkRange]:
    """Return the ranges that make up `size` bytes from position `start`, at most CHUNK_BYTES each."""
    ranges = []
    for chunk in chunks:
        first, start = start, max(start - chunk.size, 0)
        while first < chunk.size and size > 0:
            length = min(chunk.size - first, size, CHUNK_BYTES)
            ranges.append((chunk.key, first, length))
            first += length
            size -= length
    return ranges


def fetch_ahead(
    pool: ThreadPoolExecutor, fetch: Callable[[ChunkRange], bytes], ranges: Sequence[ChunkRange]
) -> Generator[bytes, None, None]:
    """Yield the content of the ranges in order, while the next ones are being fetched."""
    in_flight: deque[Future[bytes]] = deque()
    try:
        for chunk_range in ranges:
            in_flight.append(pool.submit(fetch, chunk_range))
            if len(in_flight) > AHEAD:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
        for future in in_flight:
            future.cancel()


@contextmanager
def translated_errors(operation: str) -> Iterator[None]:
    """Measure an operation of the object store, and translate its errors into StorageUnavailableError."""
    with metrics.storage(operation):
        try:
            yield
        except exceptions.BaseError as error:
            raise StorageUnavailableError(" ".join(str(error).split())[:500]) from error
