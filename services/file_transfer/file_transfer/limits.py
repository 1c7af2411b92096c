"""Limits on the size of one file, on the size of all files, and on the disk."""

import time
from dataclasses import dataclass, field
from threading import Lock

from file_transfer.errors import RefusedError
from file_transfer.storage import Storage

_STEP = 16 * 1024 * 1024
"""How many bytes of a file arrive between two checks of the remaining space."""

_USED_SECONDS = 30
"""How long the sum of all files is cached. Adding them up for every request would cost more than the request."""


@dataclass(kw_only=True)
class Limits:
    """Sizes in bytes; a `quota` or `min_free` of 0 means no limit.

    The quota can be exceeded by what other processes store within half a minute.
    """

    storage: Storage
    max_file: int
    quota: int = 0
    min_free: int = 0
    _used: int = 0
    _used_at: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def check(self, size: int, checked: int = -1) -> None:
        """Check that a file may have this size.

        Args:
            size: the bytes of the file so far, or its declared size.
            checked: the bytes that have been checked already and are on the disk; -1 if none.

        Raises:
            RefusedError: 413 if the file is too large, 507 if there is no space.
        """
        if size > self.max_file:
            raise RefusedError(413, f"the file has more than {self.max_file} bytes, the largest size allowed")
        if checked >= 0 and size // _STEP == checked // _STEP:
            return
        if self.quota and self._sum() + size > self.quota:
            raise RefusedError(
                507, f"all files together may have {self.quota} bytes: delete some files first", kind="quota"
            )
        if self.min_free:
            free = self.storage.free_bytes()
            # The bytes checked before are on the disk, so they are not in `free` any more.
            if free is not None and free - (size - max(checked, 0)) < self.min_free:
                raise RefusedError(507, "there is no space left for the file")

    def add_used(self, size: int) -> None:
        """Count a file that has been stored since the sum was last computed."""
        with self._lock:
            self._used += size

    def _sum(self) -> int:
        with self._lock:
            if time.monotonic() - self._used_at > _USED_SECONDS:
                self._used = sum(stored.chunk.size for stored in self.storage.chunks())
                self._used_at = time.monotonic()
            return self._used
