"""How much the service takes: of one file, of all, and of the disk."""

import time
from dataclasses import dataclass, field
from threading import Lock

from file_transfer.errors import RefusedError
from file_transfer.storage import Storage

_STEP = 16 * 1024 * 1024
"""Bytes of one file between two looks at the room that is left."""

_USED_SECONDS = 30
"""How long the sum of all files is taken for true: to add them up again for every request would cost more than it."""


@dataclass(kw_only=True)
class Limits:
    """In bytes; a `quota` or `min_free` of 0 means none.

    The quota may be overrun by what other processes take within half a minute.
    """

    storage: Storage
    max_file: int
    quota: int = 0
    min_free: int = 0
    _used: int = 0
    _looked: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def check(self, size: int, before: int = -1) -> None:
        """Whether a file may have this size, of which `before` was found to be all right.

        Raises:
            RefusedError: 413, or 507 where there is no room.
        """
        if size > self.max_file:
            raise RefusedError(413, f"the file has more than {self.max_file} bytes")
        if before >= 0 and size // _STEP == before // _STEP:
            return
        if self.quota and self._sum() + size > self.quota:
            raise RefusedError(507, f"all files together may have {self.quota} bytes: delete some first", kind="quota")
        if self.min_free:
            free = self.storage.free_bytes()
            # What came before is on the disk already.
            if free is not None and free - (size - max(before, 0)) < self.min_free:
                raise RefusedError(507, "there is no room for the file")

    def took(self, size: int) -> None:
        """Count what was stored since the last look."""
        with self._lock:
            self._used += size

    def _sum(self) -> int:
        with self._lock:
            if time.monotonic() - self._looked > _USED_SECONDS:
                self._used = sum(stored.piece.size for stored in self.storage.pieces())
                self._looked = time.monotonic()
            return self._used
