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
    held = connection.execute(
        select(func.count()).where(downloads.c.version == file.version, downloads.c.expires > now)
    ).scalar_one()
    if held >= row.downloads_left:
        return None
    identifier = uuid4()
    connection.execute(insert(downloads), {"id": identifier, "version": file.version, "expires": now + HELD})
    return identifier


def renew(connection: Connection, identifier: UUID, now: datetime) -> None:
    """Hold the download for longer."""
    connection.execute(update(downloads).where(downloads.c.id == identifier).values(expires=now + HELD))


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
    """Forget downloads whose replica has not renewed them."""
    connection.execute(delete(downloads).where(downloads.c.expires <= now))
