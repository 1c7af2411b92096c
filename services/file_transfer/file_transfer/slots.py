"""A limit on the transfers that a worker runs at once, so that a thread is always free for short requests."""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from socket import IPPROTO_TCP, TCP_CORK, socket
from typing import BinaryIO, Self

from file_transfer.errors import BusyError
from file_transfer.metrics import TRANSFERS

_FIRST_BYTES = 64 * 1024
"""The size of a body's first piece. Bottle keeps that piece until the body ends."""


class Slots:
    """`count` slots. Each transfer takes one and gives it back at its end.

    One client gets at most three quarters of them, so that it never takes the last one from all others.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._share = max(count * 3 // 4, 1)
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, client: str = "") -> "Slot":
        """Take a slot for the client with this address. With "" it is not known, and has no share of its own.

        Raises:
            BusyError: all slots are taken. Waiting for one would block the thread that reports this.
        """
        with self._lock:
            if not self._free or (client and self._taken[client] >= self._share):
                raise BusyError("too many transfers are running: try again in a moment")
            self._free -= 1
            self._taken[client] += 1
        TRANSFERS.inc()
        return Slot(partial(self._give_back, client))

    def _give_back(self, client: str) -> None:
        TRANSFERS.dec()
        with self._lock:
            self._free += 1
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]


class Slot:
    """A slot for one transfer. As a context manager it gives itself back at the end."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Free the slot. A second call does nothing."""
        if self._give_back:
            give_back, self._give_back = self._give_back, None
            give_back()


class FileBody:
    """A response body read from a real file. The server sends it with sendfile, since it has `read` and `fileno`.

    The server closes it at the end of the transfer or when the client disconnects, which frees the slot. Until then
    the connection sends only full packets (like nginx's `tcp_nopush`), which is faster by a quarter.
    """

    def __init__(self, file: BinaryIO, size: int, slot: Slot, connection: socket | None = None) -> None:
        self._file = file
        self._left = size
        self._slot = slot
        self._connection = connection
        self._cork(1)

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes of the `size` bytes that the body has."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def fileno(self) -> int:
        """Return the file descriptor for sendfile.

        Raises:
            io.UnsupportedOperation: the file has none.
        """
        return self._file.fileno()

    def close(self) -> None:
        """Close the file and free the slot."""
        try:
            self._file.close()
            self._cork(0)
        finally:
            self._slot.give_back()

    def _cork(self, value: int) -> None:
        if self._connection:
            with suppress(OSError):  # the client has disconnected
                self._connection.setsockopt(IPPROTO_TCP, TCP_CORK, value)


class StreamedBody:
    """A response body of blocks that storage yields, which holds a slot until it is closed.

    The first block is read at once, so that an error of storage can still become an error response.
    """

    def __init__(self, blocks: Generator[bytes, None, None], slot: Slot) -> None:
        self._blocks = blocks
        self._slot = slot
        self._first = [next(blocks, b"")]

    def __iter__(self) -> Iterator[bytes]:
        try:
            block = self._first.pop()
            yield block[:_FIRST_BYTES]
            rest = [block[_FIRST_BYTES:]]
            del block  # nothing refers to these bytes while the others are sent
            yield rest.pop()
            yield from self._blocks
        finally:
            self.close()  # Bottle does not close a body that turns out to be empty

    def close(self) -> None:
        """Stop reading and free the slot."""
        try:
            self._blocks.close()
        finally:
            self._slot.give_back()
