"""Content on its way into a bucket and out of it: in pieces, some of them under way at once, never more than a few."""

import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import obstore
from obstore import exceptions
from obstore.store import S3Store

from file_transfer import metrics
from file_transfer.storage import Data, Piece, StorageUnavailableError

PIECE_BYTES = 4 * 1024 * 1024
"""Size of a piece: what SeaweedFS keeps in one chunk, so that neither it nor we hold more at once."""

AHEAD = 2
"""Pieces of one transfer that are under way beside the one being filled or sent."""

Part = tuple[str, int, int]
"""Of a piece: its key, the first byte, how many."""


class IncomingPieces:
    """Content on its way into a bucket, in pieces of which some are under way."""

    def __init__(self, store: S3Store, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool
        self._buffer = bytearray()
        self._under_way: deque[Future[None]] = deque()
        self._pieces: list[Piece] = []

    def write(self, data: Data) -> None:
        """See `Incoming.write`."""
        rest = memoryview(data)
        while rest:
            taken = rest[: PIECE_BYTES - len(self._buffer)]
            self._buffer += taken
            rest = rest[len(taken) :]
            if len(self._buffer) == PIECE_BYTES:
                self._send()

    def keep(self) -> list[Piece]:
        """See `Incoming.keep`."""
        if self._buffer:
            self._send()
        while self._under_way:
            self._under_way.popleft().result()
        kept, self._pieces = self._pieces, []
        return kept

    def unkept(self) -> list[Piece]:
        """What was sent in vain."""
        while self._under_way:
            self._under_way.popleft().exception()
        return self._pieces

    def _send(self) -> None:
        if len(self._under_way) == AHEAD:
            self._under_way.popleft().result()
        piece = Piece(uuid.uuid4().hex, len(self._buffer))
        self._pieces.append(piece)
        self._under_way.append(self._pool.submit(self._put, piece.key, self._buffer))
        self._buffer = bytearray()

    def _put(self, key: str, content: bytearray) -> None:
        with answers("put"):
            obstore.put(self._store, f"pieces/{key}", content, use_multipart=False)


def parts(pieces: Sequence[Piece], start: int, size: int) -> list[Part]:
    """What to fetch of which piece for `size` bytes from `start`, at most PIECE_BYTES each."""
    wanted = []
    for piece in pieces:
        first, start = start, max(start - piece.size, 0)
        while first < piece.size and size > 0:
            length = min(piece.size - first, size, PIECE_BYTES)
            wanted.append((piece.key, first, length))
            first += length
            size -= length
    return wanted


def ahead(
    pool: ThreadPoolExecutor, fetch: Callable[[Part], bytes], wanted: Sequence[Part]
) -> Generator[bytes, None, None]:
    """What is fetched, in order, some of it while the one before is being sent."""
    under_way: deque[Future[bytes]] = deque()
    try:
        for part in wanted:
            under_way.append(pool.submit(fetch, part))
            if len(under_way) > AHEAD:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()


@contextmanager
def answers(operation: str) -> Iterator[None]:
    """Measure an operation of the store; what it cannot do now is said as storage says it."""
    with metrics.storage(operation):
        try:
            yield
        except exceptions.BaseError as error:
            raise StorageUnavailableError(" ".join(str(error).split())[:500]) from error
