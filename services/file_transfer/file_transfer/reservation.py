"""Keys and room that are reserved in the index for content, before any of it is stored."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from uuid import UUID

from sqlalchemy import Connection

from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.errors import QuotaError
from file_transfer.index import contents
from file_transfer.index.database import Database
from file_transfer.limits import NOBODY, Limits, Owner

_ROOM = 64 * 1024 * 1024
"""The bytes that are reserved at a time for content of unknown size, or fewer if a quota has no more left."""


class Reservation:
    """The keys and the room that are reserved in the index for content, and the lease on them.

    `size` is the number of bytes that the content will have; None means unknown. The room counts for the owner.
    """

    def __init__(
        self,
        database: Database,
        store: ChunkStore,
        limits: Limits,
        content: UUID,
        size: int | None,
        owner: Owner = NOBODY,
    ) -> None:
        self._database = database
        self._store = store
        self._limits = limits
        self._owner = owner
        self._content = content
        self._size = size
        self._step = _ROOM
        self._covered = 0
        self._chunk_bytes = store.chunk_bytes or 0
        self._keys: deque[str] = deque()
        self._renewed = monotonic()
        self.chosen: list[str] = []
        """All keys that were chosen, used or not."""

    def create(self, needed: int) -> int:
        """Create the content in the index with its first keys, and return for how many bytes there is room.

        Raises:
            QuotaError: a quota does not allow all of its bytes, or the `needed` ones if its size is unknown.
        """
        self._limits.check_free(self._store, _ROOM if self._size is None else self._size)
        keys = self._choose()

        def create(size: int) -> None:
            self._database.write(
                lambda connection: contents.create(
                    connection,
                    self._content,
                    until=now() + contents.LEASE,
                    size=size,
                    quota=self._limits.quota,
                    owner=self._owner,
                    keys=keys,
                )
            )

        if self._size is None:
            room = self._reserve_room(needed, create)
        else:
            room = self._size
            create(room)
        self._keys.extend(keys)
        return room

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

    def add_room(self, needed: int) -> int:
        """Reserve room for more bytes of content whose size is unknown, and return for how many.

        Raises:
            QuotaError: a quota does not allow the `needed` ones.
        """
        self._limits.check_free(self._store, _ROOM)
        return self._reserve_room(needed, lambda size: self._reserve(size=size))

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

    def _reserve_room(self, needed: int, reserve: Callable[[int], None]) -> int:
        """Reserve as much as is usual, or else half of it and so on, so that no file is refused that would fit."""
        while True:
            size = max(self._step, needed)
            try:
                reserve(size)
            except QuotaError:
                if size == needed:
                    raise
                self._step //= 2
            else:
                return size

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
                owner=self._owner,
            )
        )
