"""The index and the store that the settings ask for. Create them in the process that uses them: they have threads.

Each is imported only if it is used, since the others' libraries would take a third of a worker's memory.
"""

import multiprocessing
import time
from dataclasses import asdict
from multiprocessing.connection import Connection

from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.index.database import Database
from file_transfer.settings import Settings

_PATIENCE_SECONDS = 20
_PAUSE_SECONDS = 0.5


def database(settings: Settings) -> Database:
    """Return the index."""
    if settings.postgres:
        from file_transfer.index.postgres import PostgresDatabase  # noqa: PLC0415 - only if it is used

        return PostgresDatabase(settings.postgres)
    from file_transfer.index.sqlite import SqliteDatabase  # noqa: PLC0415 - only if it is used

    return SqliteDatabase(settings.data / "index.sqlite")


def store(settings: Settings) -> ChunkStore:
    """Return the store of the bytes."""
    if settings.seaweedfs:
        from file_transfer.stores.seaweedfs import SeaweedFsStore  # noqa: PLC0415 - only if it is used

        return SeaweedFsStore(**asdict(settings.seaweedfs))
    if settings.s3:
        from file_transfer.stores.bucket import BucketStore  # noqa: PLC0415 - only if it is used

        return BucketStore(**asdict(settings.s3))
    from file_transfer.stores.directory import DirectoryStore  # noqa: PLC0415 - only if it is used

    return DirectoryStore(settings.data / "chunks")


def migrate(settings: Settings) -> None:
    """Give the index the schema that this release needs. Wait a while for an index that is just being started.

    A process of its own does it, so that what only a migration needs takes no memory of the workers.

    Raises:
        UnsuitableSchemaError: its schema is too new for this release, or too old.
        StorageUnavailableError: it cannot be changed.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_migrate, args=(settings, sender), daemon=True)
    process.start()
    sender.close()
    try:
        failure = receiver.recv()
    except EOFError:
        failure = StorageUnavailableError("the index: the process that migrates it was killed")
    process.join()
    if failure:
        raise failure


def _migrate(settings: Settings, sender: Connection) -> None:
    """Migrate the index, and send the error if there is one, else None."""
    failure: Exception | None = None
    try:
        _migrate_patiently(settings)
    except Exception as error:  # noqa: BLE001 - the other process raises it
        failure = error
    sender.send(failure)


def _migrate_patiently(settings: Settings) -> None:
    from file_transfer.index import migrate as migration  # noqa: PLC0415 - only in the process that migrates

    opened = database(settings)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while True:
            try:
                migration.migrate(opened)
            except StorageUnavailableError:
                if time.monotonic() > deadline:
                    raise
            else:
                return
            time.sleep(_PAUSE_SECONDS)
    finally:
        opened.close()
