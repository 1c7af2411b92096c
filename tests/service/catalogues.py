"""A catalogue on one machine, for tests to which the kind of storage does not matter."""

from pathlib import Path

from file_transfer.catalogue import Catalogue
from file_transfer.index.migrate import migrate
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.limits import Limits
from file_transfer.stores.directory import DirectoryStore


def catalogue_in(folder: Path, **limits: int) -> Catalogue:
    database = SqliteDatabase(folder / "index.sqlite")
    migrate(database)
    return Catalogue(database, DirectoryStore(folder / "chunks"), Limits(**limits))
