"""Ranges of chunks, which are read ahead."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from file_transfer.chunks import Chunk

_AHEAD = 1
"""Chunks of one download that are in flight or in memory besides the one being sent."""


@dataclass(frozen=True)
class ChunkRange:
    """The bytes of a chunk from `start` up to and without `end`."""

    chunk: Chunk
    start: int
    end: int

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.end - self.start


def ranges(chunks: Iterable[Chunk], start: int, size: int) -> Iterator[ChunkRange]:
    """Yield the part of each chunk that belongs to the `size` bytes from position `start` of the joined chunks.

    They are yielded one by one, since a file has thousands.
    """
    position = 0
    for chunk in chunks:
        first = max(start - position, 0)
        end = min(start + size - position, chunk.size)
        if end <= 0:
            return
        if first < end:
            yield ChunkRange(chunk, first, end)
        position += chunk.size


def read_ahead(
    pool: ThreadPoolExecutor, fetch: Callable[[ChunkRange], bytes], wanted: Iterator[ChunkRange]
) -> Generator[bytes, None, None]:
    """Return the ranges' bytes. The first is fetched now, which raises its errors; the next ones are read ahead."""
    first = next(wanted, None)
    if first is None:
        return _nothing()
    ahead = deque(pool.submit(fetch, following) for following in islice(wanted, _AHEAD))
    try:
        block = fetch(first)
    except BaseException:
        _cancel(ahead)
        raise
    return _blocks(pool, fetch, block, ahead, wanted)


def _blocks(
    pool: ThreadPoolExecutor,
    fetch: Callable[[ChunkRange], bytes],
    block: bytes,
    ahead: deque[Future[bytes]],
    wanted: Iterator[ChunkRange],
) -> Generator[bytes, None, None]:
    try:
        yield block
        while ahead:
            block = ahead.popleft().result()
            ahead.extend(pool.submit(fetch, following) for following in islice(wanted, 1))
            yield block
    finally:
        _cancel(ahead)


def _nothing() -> Generator[bytes, None, None]:
    yield from ()


def _cancel(ahead: deque[Future[bytes]]) -> None:
    for future in ahead:
        future.cancel()
