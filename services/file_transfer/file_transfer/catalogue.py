"""The catalogue of files: each is published whole, and replaced or removed in one transaction of the index."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from file_transfer import conditions, names
from file_transfer.chunks import ChunkStore, Content, MissingChunkError
from file_transfer.clock import now
from file_transfer.conditions import Conditions
from file_transfer.errors import HeldError
from file_transfer.held_download import HeldDownload
from file_transfer.incoming import IncomingFile
from file_transfer.index import contents, downloads, files, owners
from file_transfer.index.database import Database, write_repeatedly
from file_transfer.lifetime import Lifetime
from file_transfer.limits import NOBODY, Limits, Owner
from file_transfer.ranges import Range
from file_transfer.stored_file import StoredFile


class UnknownFileError(LookupError):
    """There is no file with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no file is named {names.printable(name)}")


class Catalogue:
    """The operations on files that the routes use: an index in a database, and a store of the bytes.

    `check_writable` raises StorageUnavailableError if an upload would fail now. By default it asks both.
    """

    def __init__(
        self, database: Database, store: ChunkStore, limits: Limits, check_writable: Callable[[], None] | None = None
    ) -> None:
        self.database = database
        self.store = store
        self.limits = limits
        self._check_writable = check_writable

    def check_writable(self) -> None:
        """Check that an upload would not fail now, before the client sends its bytes.

        Raises:
            StorageUnavailableError: it would; with the reason.
        """
        if self._check_writable:
            self._check_writable()
        else:
            self.database.check_writable()
            self.store.check_writable()

    def receive(self, size: int | None = None, owner: Owner = NOBODY) -> IncomingFile:
        """Begin to receive a file of `size` bytes; None means unknown. It is discarded unless it is published.

        The file counts for the owner until it is removed, expires or is replaced.

        Raises:
            TooLargeError: the file is too large.
            StorageUnavailableError: it could not be stored at the moment.
        """
        self.limits.check_size(size or 0)
        self.check_writable()
        return IncomingFile(self.database, self.store, self.limits, size, owner)

    def publish(
        self,
        received: Mapping[str, IncomingFile],
        lifetime: Lifetime,
        condition: Conditions = conditions.NONE,
        modified: datetime | None = None,
    ) -> dict[str, tuple[StoredFile, bool]]:
        """Publish files under their names, all or none. Return each with whether its name is new.

        `modified` is when they were stored; None means now. A file that is restored keeps its time.

        Raises:
            PreconditionError: the condition does not hold for one of them.
            QuotaError: a quota does not allow a small one.
            LeaseLostError: one took too long.
        """
        for incoming in received.values():
            incoming.finish()
        described = {name: incoming.described(name, lifetime, modified) for name, incoming in received.items()}

        def change(connection: Connection) -> dict[str, tuple[StoredFile, bool]]:
            published = {}
            for name in sorted(described):  # in one order, so that two transactions do not wait for each other
                file = described[name]
                contents.place(connection, file.version, received[name].chunks, 0)
                is_new = files.publish(
                    connection,
                    file,
                    now=now(),
                    reader_grace=self.store.reader_grace,
                    quota=self.limits.quota,
                    owner=received[name].owner,
                    condition=condition,
                )
                published[name] = file, is_new
            return {name: published[name] for name in described}

        published = write_repeatedly(self.database, change)
        for incoming in received.values():
            incoming.is_published = True
        return published

    def find(self, name: str) -> StoredFile | None:
        """Return the file, or None if there is none."""
        return self.database.read(lambda connection: files.find(connection, name, now()))

    def look_up(self, name: str) -> StoredFile:
        """Return the file.

        Raises:
            UnknownFileError: there is no such file.
        """
        file = self.find(name)
        if file is None:
            raise UnknownFileError(name)
        return file

    def owner(self, file: StoredFile) -> str:
        """Return the name of the token for which the file counts; "" for none."""
        return self.database.read(lambda connection: owners.find(connection, file.version))

    def open(self, file: StoredFile, wanted: Range) -> Content:
        """Open a range of the content of a file that is not small; see `ChunkStore.open`.

        Raises:
            MissingChunkError: the file has been replaced or removed, and its bytes are gone.
        """
        found, start = self.database.read(
            lambda connection: contents.find_chunks(connection, file.version, wanted.start, wanted.size)
        )
        if sum(chunk.size for chunk in found) < start + wanted.size:
            raise MissingChunkError(f"the content of {file.version} is gone")
        return self.store.open(found, start, wanted.size)

    def remove(self, name: str, condition: Conditions = conditions.NONE) -> None:
        """Remove the file.

        Raises:
            UnknownFileError: there is no such file.
            PreconditionError: the condition does not hold.
        """
        grace = self.store.reader_grace
        if not self.database.write(lambda connection: files.remove(connection, name, now(), grace, condition)):
            raise UnknownFileError(name)

    def page(self, prefix: str, after: str, limit: int) -> list[StoredFile]:
        """Return up to `limit` files whose names begin with `prefix` and sort after `after`, sorted by name."""
        return self.database.read(lambda connection: files.page(connection, prefix, after, limit, now()))

    def hold_download(self, file: StoredFile) -> HeldDownload:
        """Hold one of the downloads that are left, for a download that begins now.

        Raises:
            UnknownFileError: the file has been removed or replaced.
            HeldError: all downloads that are left are running.
        """
        try:
            held = self.database.write(lambda connection: downloads.hold(connection, file, now()))
        except downloads.FileChangedError:
            raise UnknownFileError(file.name) from None
        if held is None:
            raise HeldError("all downloads that are left are running: try again in a moment")
        return HeldDownload(self.database, file, held, self.store.reader_grace)
