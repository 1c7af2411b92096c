"""Downloads of files that may be downloaded a limited number of times.

A download is taken when its last byte has been handed over. Until then it is held, so that no more run at once than
are left. All functions run inside a transaction of the caller.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, delete, func, insert, select, update

from file_transfer.index import files
from file_transfer.index.schema import downloads
from file_transfer.index.schema import files as files_table
from file_transfer.stored_file import StoredFile

HELD = timedelta(minutes=5)
"""How long a download stays held after its last renewal. A replica that is killed holds it for this long."""

_REMEMBERED = timedelta(days=1)
"""How long a download is remembered after it is no longer held. One that ends later than that does not count."""


class FileChangedError(Exception):
    """The file has been removed or replaced."""


def hold(connection: Connection, file: StoredFile, now: datetime) -> UUID | None:
    """Hold one of the file's downloads. Return its id, or None if all that are left are held.

    Raises:
        FileChangedError: the file was removed or replaced.
    """
    row = files.locked(connection, file.name)
    if row is None or row.version != file.version:
        raise FileChangedError
    identifier = uuid4()
    if _held_by_others(connection, file, identifier, now) >= row.downloads_left:
        return None
    connection.execute(insert(downloads), {"id": identifier, "version": file.version, "expires": now + HELD})
    return identifier


def renew(connection: Connection, file: StoredFile, identifier: UUID, now: datetime) -> bool:
    """Hold the download for longer. Return False if it was not held any more, and others hold all that are left."""
    row = files.locked(connection, file.name)
    if row is None or row.version != file.version:
        own = select(downloads.c.id).where(downloads.c.id == identifier, downloads.c.expires > now)
        return connection.execute(own).first() is not None
    if _held_by_others(connection, file, identifier, now) >= row.downloads_left:
        return False
    connection.execute(update(downloads).where(downloads.c.id == identifier).values(expires=now + HELD))
    return True


def release(connection: Connection, identifier: UUID) -> None:
    """Let somebody else have a download that did not end."""
    connection.execute(delete(downloads).where(downloads.c.id == identifier))


def take(connection: Connection, file: StoredFile, identifier: UUID, now: datetime, reader_grace: timedelta) -> None:
    """Subtract one from the downloads left. The last one removes the file."""
    if not connection.execute(delete(downloads).where(downloads.c.id == identifier)).rowcount:
        return  # taken already, by a transaction whose answer was lost
    row = files.locked(connection, file.name)
    if row is None or row.version != file.version:
        return
    if row.downloads_left <= 1:
        files.drop(connection, row, now + reader_grace)
    else:
        connection.execute(
            update(files_table)
            .where(files_table.c.name == file.name)
            .values(downloads_left=files_table.c.downloads_left - 1)
        )


def forget_expired(connection: Connection, now: datetime) -> None:
    """Forget downloads that have not been held for long."""
    connection.execute(delete(downloads).where(downloads.c.expires <= now - _REMEMBERED))


def _held_by_others(connection: Connection, file: StoredFile, identifier: UUID, now: datetime) -> int:
    others = select(func.count()).where(
        downloads.c.version == file.version, downloads.c.expires > now, downloads.c.id != identifier
    )
    return connection.execute(others).scalar_one()
