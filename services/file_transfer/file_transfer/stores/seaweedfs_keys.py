"""The choice of keys: file ids of SeaweedFS in volumes that can be written."""

import threading
from time import monotonic

from file_transfer.chunks import StorageUnavailableError
from file_transfer.stores.seaweedfs_copies import Copies
from file_transfer.stores.seaweedfs_masters import Masters

_VOLUMES = 4
"""Volumes that are tried until one has a server that answers for each copy."""

_SPARE = 15
_SPARE_SECONDS = 2


class Keys:
    """Asks the masters for keys. Single ones are kept in reserve for a moment, since many uploads need just one."""

    def __init__(self, masters: Masters, copies: Copies, copies_of_each: int) -> None:
        self._masters = masters
        self._copies = copies
        self._copies_of_each = copies_of_each
        self._lock = threading.Lock()
        self._spare: list[str] = []
        self._spare_until = 0.0

    def choose(self, count: int) -> list[str]:
        """Return `count` keys in one volume.

        Raises:
            StorageFullError: there is no space.
            StorageUnavailableError: there is no volume with all its servers at the moment.
        """
        if count > 1:
            return self._ask(count)
        if key := self._take_spare():
            return [key]
        first, *spare = self._ask(1 + _SPARE)
        with self._lock:
            self._spare, self._spare_until = spare, monotonic() + _SPARE_SECONDS
        return [first]

    def drop_spare(self) -> None:
        """Forget the spare keys, since their volume may be the one that has just failed."""
        with self._lock:
            self._spare = []

    def _take_spare(self) -> str | None:
        with self._lock:
            key = self._spare.pop() if self._spare and monotonic() < self._spare_until else None
        if key:
            try:
                self._copies.servers(key)
            except StorageUnavailableError:
                return None
        return key

    def _ask(self, count: int) -> list[str]:
        for remaining in reversed(range(_VOLUMES)):
            first = self._masters.assign(count, self._copies_of_each)
            try:
                self._copies.servers(first)
            except StorageUnavailableError:
                if not remaining:
                    raise
            else:
                break
        return [first, *(f"{first}_{number}" for number in range(1, count))]
