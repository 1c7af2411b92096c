"""A bound on the transfers that a worker runs at once, so that a thread is always left for health and readiness."""

import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import chain
from socket import IPPROTO_TCP, TCP_CORK, socket
from typing import BinaryIO, Self

from file_transfer.errors import RefusedError
from file_transfer.metrics import TRANSFERS


class Slots:
    """Room for `count` transfers; each is taken once and given back once."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def take(self) -> "Slot":
        """Room for one transfer.

        Raises:
            RefusedError: 503, since all are taken; waiting would take the thread that is to say so.
        """
        if not self._free.acquire(blocking=False):
            raise RefusedError(503, "too many transfers are running: try again in a moment", kind="busy")
        TRANSFERS.inc()
        return Slot(self._free)


class Slot:
    """Room for one transfer, until it is given back; as a context, at its end."""

    def __init__(self, free: threading.BoundedSemaphore) -> None:
        self._free: threading.BoundedSemaphore | None = free

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Make room for another one; a second call does nothing."""
        if self._free:
            free, self._free = self._free, None
            TRANSFERS.dec()
            free.release()


class WholeFile:
    """A real file on its way out: an object with `read` and `fileno` is what the server hands to the kernel.

    It gives its slot back when the server closes it, at the end or when the client is gone. Until then the connection
    sends full packets only (nginx's `tcp_nopush`): a quarter faster.
    """

    def __init__(self, file: BinaryIO, size: int, slot: Slot, connection: socket | None = None) -> None:
        self._file = file
        self._left = size
        self._slot = slot
        self._connection = connection
        self._cork(1)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, of as many as were asked for in all."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def fileno(self) -> int:
        """For sendfile; io.UnsupportedOperation if there is none."""
        return self._file.fileno()

    def close(self) -> None:
        """End the transfer."""
        try:
            self._file.close()
            self._cork(0)
        finally:
            self._slot.give_back()

    def _cork(self, value: int) -> None:
        if self._connection:
            with suppress(OSError):  # the client is gone
                self._connection.setsockopt(IPPROTO_TCP, TCP_CORK, value)


class Parts:
    """Content in parts on its way out, with its slot as above. Made only when the first part is there.

    So storage that cannot give it says so while an answer can still be chosen.
    """

    def __init__(self, parts: Generator[bytes, None, None], slot: Slot) -> None:
        self._parts = parts
        self._slot = slot
        self._first = next(parts, b"")

    def __iter__(self) -> Iterator[bytes]:
        return chain([self._first], self._parts)

    def close(self) -> None:
        """End the transfer."""
        try:
            self._parts.close()
        finally:
            self._slot.give_back()
