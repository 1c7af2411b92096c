"""The files by their names: published whole, replaced and removed in one step, over any storage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from file_transfer import conditions
from file_transfer.conditions import Conditions
from file_transfer.errors import RefusedError
from file_transfer.hashing import ConcurrentHash
from file_transfer.lifetime import FOREVER, Lifetime
from file_transfer.limits import Limits
from file_transfer.ranges import Range
from file_transfer.storage import (
    FILES,
    ConflictError,
    Content,
    Data,
    Incoming,
    Piece,
    Storage,
    StorageFullError,
    UnknownRecordError,
)
from file_transfer.stored_file import StoredFile, now


class UnknownFileError(LookupError):
    """There is no file of that name."""


class Catalogue:
    """What the routes do with files."""

    def __init__(self, storage: Storage, limits: Limits) -> None:
        self.storage = storage
        self.limits = limits

    @contextmanager
    def receive(self, declared: int = -1) -> Iterator["Reception"]:
        """Begin a file of the declared size in bytes, -1 if unknown; what is not published leaves nothing behind.

        Raises:
            RefusedError: it would be too large (413), or find no room (507).
        """
        self.limits.check(max(declared, 0))
        with self.storage.receive() as incoming:
            reception = Reception(self, incoming)
            try:
                yield reception
            finally:
                self.storage.discard(reception.unpublished)

    def publish(self, file: StoredFile, condition: Conditions = conditions.NONE) -> bool:
        """Let the name stand for the file's pieces, in place of what was there; True if nothing was.

        Pieces that are refused are discarded. What fails otherwise may have been written after all: its pieces stay,
        and are swept one day if not.

        Raises:
            RefusedError: 412, the condition does not hold.
        """
        try:
            before, current = self._replace(file, condition)
        except (RefusedError, StorageFullError):
            self.storage.discard(file.pieces)
            raise
        if before:
            self.storage.discard([piece for piece in before.pieces if piece not in file.pieces])
        return current is None

    def find(self, name: str) -> StoredFile | None:
        """The file, or None."""
        file = self._look_up(name)[0]
        return None if file is None or file.is_over(now()) else file

    def look_up(self, name: str) -> StoredFile:
        """The file.

        Raises:
            UnknownFileError: there is none.
        """
        file = self.find(name)
        if file is None:
            raise UnknownFileError(name)
        return file

    def take(self, file: StoredFile) -> None:
        """Take one download off those that are left.

        Raises:
            UnknownFileError: it was removed, or none is left any more.
            RefusedError: 503, it was replaced.
        """
        while True:
            found, version = self._look_up(file.name)
            if found is None or version is None or found.is_over(now()):
                raise UnknownFileError(file.name)
            if found.pieces != file.pieces or found.downloads_left is None:
                raise RefusedError(503, "the file has just been replaced: ask again")
            left = replace(found, downloads_left=found.downloads_left - 1)
            with suppress(ConflictError):
                self.storage.write(FILES, file.name, left.to_record(), version)
                return

    def open(self, file: StoredFile, wanted: Range) -> Content:
        """The file's content, or a part of it; see `Storage.open`."""
        return self.storage.open(file.pieces, wanted.start, wanted.size)

    def remove(self, name: str, condition: Conditions = conditions.NONE) -> None:
        """Take the file away.

        Raises:
            UnknownFileError: there is none.
            RefusedError: 412, the condition does not hold.
        """
        while True:
            file, version = self._look_up(name)
            if file is None or version is None or file.is_over(now()):
                raise UnknownFileError(name)
            condition.check_change(file)
            with suppress(ConflictError):
                self.storage.remove(FILES, name, version)
                self.storage.discard(file.pieces)
                return

    def files(self, prefix: str = "", after: str = "") -> Iterator[StoredFile]:
        """All files whose names begin so and come later, sorted by name."""
        for name in self.storage.names(FILES, prefix, after):
            try:
                yield self.look_up(name)
            except UnknownFileError:
                continue  # gone since the listing, or over

    def _replace(self, file: StoredFile, condition: Conditions) -> tuple[StoredFile | None, StoredFile | None]:
        """What the name stood for before, and the same if it was there for users."""
        while True:
            before, version = self._look_up(file.name)
            current = before if before and not before.is_over(now()) else None
            condition.check_change(current)
            with suppress(ConflictError):
                self.storage.write(FILES, file.name, file.to_record(), version)
                return before, current

    def _look_up(self, name: str) -> tuple[StoredFile | None, str | None]:
        try:
            record = self.storage.read(FILES, name)
        except UnknownRecordError:
            return None, None
        return StoredFile.from_record(record.content), record.version


class Reception:
    """A file on its way in: counted, digested, and bounded."""

    def __init__(self, catalogue: Catalogue, incoming: Incoming) -> None:
        self._catalogue = catalogue
        self._incoming = incoming
        self._digest = ConcurrentHash()
        self.size = 0
        self.unpublished: list[Piece] = []
        """What is stored of it, and nobody's yet."""

    @property
    def sha256(self) -> str:
        """Of what has come so far, in hex."""
        return self._digest.hexdigest()

    def write(self, data: Data) -> None:
        """Take the next bytes, which must stay as they are until the next call of any method.

        Raises:
            RefusedError: they are too many (413), or find no room (507).
            StorageFullError: the same, as storage says it.
        """
        self._catalogue.limits.check(self.size + len(data), self.size)
        self._digest.update(data)
        self._incoming.write(data)
        self.size += len(data)

    def finish(self) -> None:
        """All has come: nothing of it stays in memory. Called by `publish` if nobody has."""
        self.unpublished += self._incoming.keep()

    def publish(
        self, name: str, lifetime: Lifetime = FOREVER, condition: Conditions = conditions.NONE
    ) -> tuple[StoredFile, bool]:
        """Make the file visible under the name; the file, and whether the name is new. Errors as for the catalogue."""
        self.finish()
        pieces, self.unpublished = self.unpublished, []
        file = stored_file(name, pieces, self.size, self.sha256, lifetime)
        is_new = self._catalogue.publish(file, condition)
        self._catalogue.limits.took(self.size)
        return file, is_new


def stored_file(name: str, pieces: Sequence[Piece], size: int, sha256: str, lifetime: Lifetime) -> StoredFile:
    """A file that is about to be published."""
    return StoredFile(
        name=name,
        size=size,
        sha256=sha256,
        modified=now(),
        expires=lifetime.expires,
        downloads_left=lifetime.downloads,
        pieces=tuple(pieces),
    )
