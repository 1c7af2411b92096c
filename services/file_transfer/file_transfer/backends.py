"""The index and the store that the settings ask for. Create them in the process that uses them: they have threads."""

from dataclasses import asdict

from file_transfer.chunks import ChunkStore
from file_transfer.index import migrate as migration
from file_transfer.index.database import Database
from file_transfer.index.postgres import PostgresDatabase
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.settings import Settings
from file_transfer.stores.bucket import BucketStore
from file_transfer.stores.directory import DirectoryStore
from file_transfer.stores.seaweedfs import SeaweedFsStore


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
    """Give the index the schema that this release needs.

    Raises:
        SchemaTooNewError: a later release has migrated it.
        StorageUnavailableError: it cannot be changed at the moment.
    """
    opened = database(settings)
    try:
        migration.migrate(opened)
    finally:
        opened.close()
