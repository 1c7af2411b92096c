"""The index and the store that the settings ask for. Create them in the process that uses them: they have threads."""

import time
from dataclasses import asdict

from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.index import migrate as migration
from file_transfer.index.database import Database
from file_transfer.index.postgres import PostgresDatabase
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.settings import Settings
from file_transfer.stores.bucket import BucketStore
from file_transfer.stores.directory import DirectoryStore
from file_transfer.stores.seaweedfs import SeaweedFsStore

_PATIENCE_SECONDS = 20
_PAUSE_SECONDS = 0.5


def database(settings: Settings) -> Database:
    """Return the index."""
    if settings.postgres:
        return PostgresDatabase(settings.postgres)
    return SqliteDatabase(settings.data / "index.sqlite")


def store(settings: Settings) -> ChunkStore:
    """Return the store of the bytes."""
    if settings.seaweedfs:
        return SeaweedFsStore(**asdict(settings.seaweedfs))
    if settings.s3:
        return BucketStore(**asdict(settings.s3))
    return DirectoryStore(settings.data / "chunks")


def migrate(settings: Settings) -> None:
    """Give the index the schema that this release needs. Wait a while for an index that is just being started.

    Raises:
        SchemaTooNewError: a later release has migrated it.
        StorageUnavailableError: it cannot be changed.
    """
    opened = database(settings)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    try:
        while True:
            try:
                return migration.migrate(opened)
            except StorageUnavailableError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE_SECONDS)
    finally:
        opened.close()
