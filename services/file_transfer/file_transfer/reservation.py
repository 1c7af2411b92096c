"""Keys and room that are reserved in the index for content, before any of it is stored."""

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

from sqlalchemy import Connection

from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.index import contents
from file_transfer.index.database import Database
from file_transfer.limits import Limits
from file_transfer.stored_file import now

_ROOM = 64 * 1024 * 1024
"""The bytes that are reserved at a time for content of unknown size."""


class Reservation:
    """The keys and the room that are reserved in the index for content, and the lease on them.

    `size` is the number of bytes that the content will have; None means unknown.
    """

    def __init__(self, database: Database, store: ChunkStore, limits: Limits, content: UUID, size: int | None) -> None:
        self._database = database
        self._store = store
        self._limits = limits
        self._content = content
        self._size = size
        self._covered = 0
        self._chunk_bytes = store.chunk_bytes or 0
        self._keys: deque[str] = deque()
        self._renewed = monotonic()
        self.chosen: list[str] = []
        """All keys that were chosen, used or not."""

    def create(self) -> int:
        """Create the content in the index with its first keys, and return for how many bytes there is room."""
        size = _ROOM if self._size is None else self._size
        self._limits.check_free(self._store, size)
        keys = self._choose()
        self._database.write(
            lambda connection: contents.create(
                connection, self._content, until=now() + contents.LEASE, size=size, quota=self._limits.quota, keys=keys
            )
        )
        self._keys.extend(keys)
        return size

    def next_key(self, *, fresh: bool = False) -> str:
        """See `NextKey`."""
        if fresh:
            self._covered -= len(self._keys) * self._chunk_bytes
            self._keys.clear()
        if not self._keys:
            self._limits.check_free(self._store, 0)
            keys = self._choose()
            self._reserve(keys=keys)
            self._keys.extend(keys)
        return self._keys.popleft()

    def add_room(self) -> int:
        """Reserve room for more bytes of content whose size is unknown, and return for how many."""
        self._limits.check_free(self._store, _ROOM)
        self._reserve(size=_ROOM)
        return _ROOM

    def renew(self) -> None:
        """Renew the lease, unless that was done a short while ago."""
        if monotonic() - self._renewed > contents.LEASE / timedelta(seconds=1) / 4:
            self._reserve()

    def discard(self, failure: type[BaseException] | None) -> None:
        """Make garbage of the content unless it was published. `failure` is why it was not."""
        # A server that did not answer in time may still store a chunk. After a lost lease, one may have been stored
        # after its key was swept.
        may_be_late = failure is not None and issubclass(failure, (StorageUnavailableError, contents.LeaseLostError))
        due = now() + contents.LEASE if may_be_late else now()

        def change(connection: Connection) -> None:
            contents.abandon(connection, [self._content], due)
            if may_be_late:
                contents.discard_keys(connection, self.chosen, due)

        self._database.write(change)

    def _choose(self) -> list[str]:
        """Choose keys for what comes next. They are not reserved yet."""
        left = None if self._size is None else max(self._size - self._covered, 1)
        keys = self._store.choose_keys(left)
        self._covered += len(keys) * self._chunk_bytes
        self.chosen += keys
        return keys

    def _reserve(self, *, keys: Sequence[str] = (), size: int = 0) -> None:
        self._renewed = monotonic()
        self._database.write(
            lambda connection: contents.reserve(
                connection,
                self._content,
                keys=keys,
                until=now() + contents.LEASE,
                size=size,
                quota=self._limits.quota,
            )
        )
