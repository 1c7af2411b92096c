"""A running download of a file whose downloads are limited."""

from datetime import timedelta
from time import monotonic
from uuid import UUID

from file_transfer.clock import now
from file_transfer.errors import HeldError
from file_transfer.index import downloads
from file_transfer.index.database import Database, write_repeatedly
from file_transfer.stored_file import StoredFile

_RENEW_SECONDS = downloads.HELD / timedelta(seconds=1) / 4


class HeldDownload:
    """One of the downloads that are left, held until it ends. Create it with `Catalogue.hold_download`."""

    def __init__(self, database: Database, file: StoredFile, identifier: UUID, reader_grace: timedelta) -> None:
        self._database = database
        self._file = file
        self._id = identifier
        self._reader_grace = reader_grace
        self._renewed = monotonic()

    def renew(self) -> None:
        """Hold the download for longer, unless that was done a short while ago. Call it before each block.

        Raises:
            HeldError: it was not renewed for so long that somebody else has begun it.
        """
        if monotonic() - self._renewed < _RENEW_SECONDS:
            return
        if not self._database.write(lambda connection: downloads.renew(connection, self._file, self._id, now())):
            raise HeldError("the download took too long without taking a byte: begin again")
        self._renewed = monotonic()

    def end(self, *, is_complete: bool) -> None:
        """End the download: one that is complete counts, another one can be begun again."""
        if is_complete:
            write_repeatedly(
                self._database,
                lambda connection: downloads.take(connection, self._file, self._id, now(), self._reader_grace),
            )
        else:
            self._database.write(lambda connection: downloads.release(connection, self._id))
