"""The record of an upload's progress in the index. The last bytes are recorded and published in one transaction."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from file_transfer import digests
from file_transfer.chunks import Chunk
from file_transfer.clock import now
from file_transfer.errors import RefusedError
from file_transfer.index import contents, files
from file_transfer.index import uploads as table
from file_transfer.index.database import Database, write_repeatedly
from file_transfer.resumable_sha256 import ResumableSha256
from file_transfer.stored_file import StoredFile
from file_transfer.upload import Upload


def record(
    database: Database,
    before: Upload,
    appended: Upload,
    chunks: list[Chunk],
    *,
    reserved: list[str],
    reader_grace: timedelta,
) -> Upload:
    """Record the appended chunks, and publish the file if they are the last ones. Return the upload as recorded.

    `before` is the upload without the chunks, and `appended` with them. Keys in `reserved` that the chunks do not use
    become garbage. A file that is replaced stays for `reader_grace`.

    Raises:
        RefusedError: the file cannot be published. The upload is removed.
        UploadChangedError: another request has changed the upload.
        LeaseLostError: the upload's lease has ended.
    """
    complete = appended.offset == appended.length
    sha256 = ResumableSha256(appended.hash_state).hexdigest() if complete else None
    file = _file(appended, sha256) if sha256 else None
    recorded = (appended.offset, *((None, sha256) if complete else (appended.hash_state, None)))

    def change(connection: Connection) -> None:
        found = table.find(connection, before.id, now(), lock=True)
        if found and (found.offset, found.hash_state, found.sha256) == recorded:
            # An earlier attempt succeeded, but perhaps on one host only. This makes the commit wait.
            table.renew(connection, before.id, appended.expires)
            return
        table.advance(connection, appended, before.offset)
        contents.place(connection, appended.id, chunks, before.offset)
        if len(reserved) > len(chunks):
            contents.discard_keys(connection, reserved, now() + contents.LEASE)
        if file:
            files.publish(connection, file, now=now(), reader_grace=reader_grace, condition=appended.condition())
            table.finish(connection, file.version, file.sha256)

    try:
        if file:
            digests.check(appended.declared_sha256(), file.sha256)
        write_repeatedly(database, change)
    except RefusedError:  # the file cannot be published, however often it is sent
        database.write(lambda connection: table.remove(connection, before.id, now()))
        raise
    return replace(appended, sha256=sha256)


def _file(upload: Upload, sha256: str) -> StoredFile:
    published = now()
    requested = upload.lifetime(published)
    return StoredFile(
        name=upload.file_name(),
        version=upload.id,
        size=upload.length,
        sha256=sha256,
        modified=published,
        expires=requested.end(published),
        downloads_left=requested.downloads,
    )
