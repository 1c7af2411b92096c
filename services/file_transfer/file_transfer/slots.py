"""A bound on the transfers that a worker runs at once, so that a thread is always left for health and readiness."""

import threading
from typing import BinaryIO

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
            raise RefusedError(503, "too many transfers are running: try again in a moment")
        TRANSFERS.inc()
        return Slot(self._free)


class Slot:
    """Room for one transfer, until it is given back."""

    def __init__(self, free: threading.BoundedSemaphore) -> None:
        self._free: threading.BoundedSemaphore | None = free

    def give_back(self) -> None:
        """Make room for another one; a second call does nothing."""
        if self._free:
            free, self._free = self._free, None
            TRANSFERS.dec()
            free.release()


class Content:
    """A file on its way out: gives its slot back when the server closes it, at the end or when the client is gone."""

    def __init__(self, file: BinaryIO, slot: Slot) -> None:
        self._file = file
        self._slot = slot

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        return self._file.read(size)

    def fileno(self) -> int:
        """For sendfile; io.UnsupportedOperation if there is none."""
        return self._file.fileno()

    def close(self) -> None:
        """End the transfer."""
        try:
            self._file.close()
        finally:
            self._slot.give_back()
