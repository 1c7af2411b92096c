"""The catalogue of files: each is published whole, and replaced or removed atomically, on any storage."""

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
    Chunk,
    ConflictError,
    Content,
    Data,
    IncomingContent,
    Storage,
    StorageFullError,
    UnknownRecordError,
)
from file_transfer.stored_file import StoredFile, now


class UnknownFileError(LookupError):
    """There is no file with that name."""


class Catalogue:
    """The operations on files that the routes use."""

    def __init__(self, storage: Storage, limits: Limits) -> None:
        self.storage = storage
        self.limits = limits

    @contextmanager
    def receive(self, declared_size: int = -1) -> Iterator["IncomingFile"]:
        """Begin to receive a file, which is discarded unless it is published. A `declared_size` of -1 means unknown.

        Raises:
            RefusedError: 413 if the file is too large, 507 if there is no space.
        """
        self.limits.check(max(declared_size, 0))
        with self.storage.receive() as content:
            incoming_file = IncomingFile(self, content)
            try:
                yield incoming_file
            finally:
                self.storage.discard(incoming_file.unpublished)

    def publish(self, file: StoredFile, condition: Conditions = conditions.NONE) -> bool:
        """Publish the file, replacing any other with its name. Return True if the name is new.

        The chunks of a refused file are discarded. After any other error the record may have been written, so the
        chunks stay. If it was not, they are swept later.

        Raises:
            RefusedError: 412 if the condition does not hold.
        """
        try:
            previous, visible = self._replace(file, condition)
        except (RefusedError, StorageFullError):
            self.storage.discard(file.chunks)
            raise
        if previous:
            self.storage.discard([chunk for chunk in previous.chunks if chunk not in file.chunks])
        return visible is None

    def find(self, name: str) -> StoredFile | None:
        """Return the file, or None if there is none."""
        file = self._look_up(name)[0]
        return None if file is None or file.is_expired(now()) else file

    def look_up(self, name: str) -> StoredFile:
        """Return the file.

        Raises:
            UnknownFileError: there is no such file.
        """
        file = self.find(name)
        if file is None:
            raise UnknownFileError(name)
        return file

    def count_download(self, file: StoredFile) -> None:
        """Subtract one from the downloads left.

        Raises:
            UnknownFileError: the file was removed, or no download is left.
            RefusedError: 503 if the file was replaced.
        """
        while True:
            found, version = self._look_up(file.name)
            if found is None or version is None or found.is_expired(now()):
                raise UnknownFileError(file.name)
            if found.chunks != file.chunks or found.downloads_left is None:
                raise RefusedError(503, "the file has just been replaced: try again")
            left = replace(found, downloads_left=found.downloads_left - 1)
            with suppress(ConflictError):
                self.storage.write(FILES, file.name, left.to_record(), version)
                return

    def open(self, file: StoredFile, byte_range: Range) -> Content:
        """Open a range of the file's content; see `Storage.open`."""
        return self.storage.open(file.chunks, byte_range.start, byte_range.size)

    def remove(self, name: str, condition: Conditions = conditions.NONE) -> None:
        """Remove the file.

        Raises:
            UnknownFileError: there is no such file.
            RefusedError: 412 if the condition does not hold.
        """
        while True:
            file, version = self._look_up(name)
            if file is None or version is None or file.is_expired(now()):
                raise UnknownFileError(name)
            condition.check_change(file)
            with suppress(ConflictError):
                self.storage.remove(FILES, name, version)
                self.storage.discard(file.chunks)
                return

    def files(self, prefix: str = "", after: str = "") -> Iterator[StoredFile]:
        """Yield the files whose names begin with `prefix` and sort after `after`, sorted by name."""
        for name in self.storage.names(FILES, prefix, after):
            try:
                yield self.look_up(name)
            except UnknownFileError:
                continue  # removed since the listing, or expired

    def _replace(self, file: StoredFile, condition: Conditions) -> tuple[StoredFile | None, StoredFile | None]:
        """Write the file's record.

        Returns:
            The previous file, whose chunks are to be discarded, and the file that users saw: None if it had expired.
        """
        while True:
            previous, version = self._look_up(file.name)
            visible = previous if previous and not previous.is_expired(now()) else None
            condition.check_change(visible)
            with suppress(ConflictError):
                self.storage.write(FILES, file.name, file.to_record(), version)
                return previous, visible

    def _look_up(self, name: str) -> tuple[StoredFile | None, str | None]:
        try:
            record = self.storage.read(FILES, name)
        except UnknownRecordError:
            return None, None
        return StoredFile.from_record(record.content), record.version


class IncomingFile:
    """A file that is being received. Its size is limited and its SHA-256 computed as the bytes arrive."""

    def __init__(self, catalogue: Catalogue, content: IncomingContent) -> None:
        self._catalogue = catalogue
        self._content = content
        self._digest = ConcurrentHash()
        self.size = 0
        self.unpublished: list[Chunk] = []
        """Chunks that are stored and belong to no published file yet."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hex."""
        return self._digest.hexdigest()

    def write(self, data: Data) -> None:
        """Write the next bytes. They must not change until the next call of any method.

        Raises:
            RefusedError: 413 if the file is too large, 507 if a limit leaves no space for it.
            StorageFullError: the storage has no space.
        """
        self._catalogue.limits.check(self.size + len(data), self.size)
        self._digest.update(data)
        self._content.write(data)
        self.size += len(data)

    def finish(self) -> None:
        """Store the last bytes, so that none stay in memory. `publish` calls it if it has not been called."""
        self.unpublished += self._content.keep()

    def publish(
        self, name: str, lifetime: Lifetime = FOREVER, condition: Conditions = conditions.NONE
    ) -> tuple[StoredFile, bool]:
        """Publish the file under the name. Return the file, and whether the name is new.

        Raises:
            RefusedError: 412 if the condition does not hold.
        """
        self.finish()
        chunks, self.unpublished = self.unpublished, []
        file = stored_file(name, chunks, self.size, self.sha256, lifetime)
        is_new = self._catalogue.publish(file, condition)
        self._catalogue.limits.add_used(self.size)
        return file, is_new


def stored_file(name: str, chunks: Sequence[Chunk], size: int, sha256: str, lifetime: Lifetime) -> StoredFile:
    """Return the description of a file that is about to be published."""
    return StoredFile(
        name=name,
        size=size,
        sha256=sha256,
        modified=now(),
        expires=lifetime.expires,
        downloads_left=lifetime.downloads,
        chunks=tuple(chunks),
    )
