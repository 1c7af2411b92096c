"""The interface of a database: it runs functions as transactions."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from file_transfer.chunks import StorageUnavailableError

T = TypeVar("T")

_ATTEMPTS = 3


class OutcomeUnknownError(StorageUnavailableError):
    """The connection broke during a commit, or the commit took too long. It may have succeeded, now or later."""


class UnsuitableSchemaError(Exception):
    """This release cannot use the index: its schema is too new, or too old. The text says what to do."""


class Database(Protocol):
    """A database that any number of threads and processes share.

    All methods may raise StorageUnavailableError.
    """

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run a function that only reads, and return its result.

        Each of its statements sees a state of its own.
        """

    def write(self, change: Callable[[Connection], T]) -> T:
        """Run a function as one transaction, and return its result once the transaction is durable.

        If it conflicts with another transaction it is run again, so it must not have effects outside the database. An
        exception that it raises rolls the transaction back.

        Raises:
            OutcomeUnknownError: the transaction may have been committed, or may still be.
        """

    def check(self) -> None:
        """Check that the index can be read.

        Raises:
            StorageUnavailableError: it cannot; with the reason.
        """

    def check_writable(self) -> None:
        """Check that the index can be written durably.

        Raises:
            StorageUnavailableError: it cannot; with the reason.
        """

    def close(self) -> None:
        """Close all connections, and stop the database's threads."""


def write_repeatedly(database: Database, change: Callable[[Connection], T]) -> T:
    """Run a transaction that may be repeated after it has succeeded, until it is known to have succeeded."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return database.write(change)
        except OutcomeUnknownError:
            continue
    return database.write(change)
