"""A file that is being received. Its chunks are reserved in the index before they are stored."""

import hashlib
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Self
from uuid import uuid4

from file_transfer.chunks import Chunk, ChunkStore, Data, IncomingContent, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.hashing import ConcurrentHash
from file_transfer.index.database import Database
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits, Owner
from file_transfer.reservation import Reservation
from file_transfer.stored_file import StoredFile

SMALL_BYTES = 32 * 1024
"""Up to this size, content is kept in the index itself: one transaction instead of two, and nothing in the store."""


class IncomingFile:
    """A file that is being received, as a context. Leaving it without publishing the file discards the bytes.

    `size` is the declared size in bytes, None if it is unknown. The file counts for the owner.
    """

    def __init__(self, database: Database, store: ChunkStore, limits: Limits, size: int | None, owner: Owner) -> None:
        self._database = database
        self._store = store
        self._limits = limits
        self._declared = size
        self._version = uuid4()
        self._hash = hashlib.sha256()
        self._hashing = ConcurrentHash(self._hash)
        self._small = bytearray()
        self._content: IncomingContent | None = None
        self._reservation: Reservation | None = None
        self._room = 0
        self._stack = ExitStack()
        self.owner = owner
        self.size = 0
        self.chunks: list[Chunk] = []
        self.is_published = False
        """Whether the index is known to have published the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._hashing.wait()
        self._stack.close()
        if self._reservation and not self.is_published:
            # If it was published and the answer was lost, the content stays. If the index cannot be changed now, the
            # lease ends by itself.
            with suppress(StorageUnavailableError):
                self._reservation.discard(kind)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hex."""
        self._hashing.wait()
        return self._hash.hexdigest()

    def write(self, data: Data) -> None:
        """Write the next bytes. They must not change until the next call of any method.

        Raises:
            TooLargeError: the file is too large.
            NoRoomError: the store leaves no space for it.
            QuotaError: a quota does not allow it.
            StorageFullError: the storage has no space.
            StorageUnavailableError: the storage does not take it at the moment.
        """
        self._limits.check_size(self.size + len(data))
        self._hashing.update(data)
        self.size += len(data)
        if self._content is None and self.size <= SMALL_BYTES:
            self._small += data
            return
        content = self._content or self._begin()
        if self._reservation and self.size > self._room:
            self._room += self._reservation.add_room(self.size - self._room)
        content.write(data)
        self.renew()

    def renew(self) -> None:
        """Keep what was written, unless that was done a short while ago. Call it while the file has to wait."""
        if self._reservation:
            self._reservation.renew()

    def finish(self) -> None:
        """Make the bytes durable, so that none stay in memory. Publishing does it if it has not been done.

        Raises:
            QuotaError: the quota does not allow a small file in the index.
        """
        if not self._content:
            self._limits.check_free(self._store, self.size)
        elif not self.chunks:
            self.chunks = self._content.keep()

    def described(self, name: str, lifetime: Lifetime, modified: datetime | None = None) -> StoredFile:
        """Return the description of the finished file, which was stored at `modified`, or else is stored now."""
        published = modified or now()
        return StoredFile(
            name=name,
            version=self._version,
            size=self.size,
            sha256=self.sha256,
            modified=published,
            expires=lifetime.end(published),
            downloads_left=lifetime.downloads,
            data=None if self._content else bytes(self._small),
        )

    def _begin(self) -> IncomingContent:
        """Reserve the content in the index, and begin to write it to the store."""
        reservation = Reservation(self._database, self._store, self._limits, self._version, self._declared, self.owner)
        self._room = reservation.create(self.size)
        self._reservation = reservation
        self._content = self._stack.enter_context(self._store.receive(reservation.next_key))
        self._content.write(bytes(self._small))
        self._small.clear()
        return self._content
