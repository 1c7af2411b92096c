"""The index of a cluster: PostgreSQL on several hosts, one of which is the primary.

A write is acknowledged once a synchronous standby has it too. Without one, writes are refused at once, because a commit
would wait until there is one again. Reads go to the primary, or to a standby while there is no primary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar, cast

import psycopg
from psycopg import errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.index.database import OutcomeUnknownError
from file_transfer.index.deadline import Deadlines
from file_transfer.index.postgres_hosts import PostgresHost, PostgresHosts
from file_transfer.settings import PostgresSettings

T = TypeVar("T")

_READ_SECONDS = 5.0
_WRITE_SECONDS = 10.0
"""Longer than a read may take: while a disk writes much else, a commit can wait for it for some seconds."""

_CONFLICT_ATTEMPTS = 20
_ATTEMPTS = 2
_NOT_REPLICATED = "canceling wait for synchronous replication"

_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected)
_READ_ONLY = (errors.ReadOnlySqlTransaction,)


class PostgresDatabase:
    """A PostgreSQL cluster, of which each process has a bounded number of connections to each host."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._hosts = PostgresHosts(settings)
        self._patience = settings.patience
        self._deadlines = Deadlines()

    def read(self, query: Callable[[Connection], T]) -> T:
        """See `Database.read`. On a connection that turns out to be broken, it is tried on the next host."""
        failure: Exception | None = None
        for host in self._hosts.readable():
            try:
                with self._connection(host, _READ_SECONDS * self._patience) as connection:
                    return query(connection)
            except (DBAPIError, PoolTimeoutError) as error:
                failure = error
                self._failed(host, error)
        raise StorageUnavailableError(f"the index cannot be read: {_one_line(failure)}") from failure

    def write(self, change: Callable[[Connection], T]) -> T:
        """See `Database.write`. On a connection that turns out to be broken, it is tried once more."""
        conflicts = failures = 0
        while True:
            host = self._hosts.writable(is_patient=True)
            try:
                return self._commit(host, change)
            except (DBAPIError, PoolTimeoutError) as error:
                original = getattr(error, "orig", None)
                if isinstance(original, errors.DiskFull):
                    raise StorageFullError(28, "there is no space left for the index") from error
                if isinstance(error, IntegrityError) or isinstance(original, _CONFLICTS):
                    conflicts += 1
                else:
                    failures += 1
                    self._failed(host, error)
                if failures == _ATTEMPTS or conflicts == _CONFLICT_ATTEMPTS:
                    raise StorageUnavailableError(f"the index cannot be changed: {_one_line(error)}") from error

    def check(self) -> None:
        """See `Database.check`."""
        self._hosts.readable()

    def check_writable(self) -> None:
        """See `Database.check_writable`."""
        self._hosts.writable()

    def close(self) -> None:
        """See `Database.close`."""
        self._hosts.close()
        self._deadlines.close()

    def _commit(self, host: PostgresHost, change: Callable[[Connection], T]) -> T:
        notices: list[str] = []
        with self._connection(host, _WRITE_SECONDS * self._patience) as connection, _notices(connection, notices):
            connection.execution_options(isolation_level="READ COMMITTED")
            # Prepared statements bypass SQLAlchemy. Without this it would know of no transaction to commit.
            connection.begin()
            result = change(connection)
            try:
                connection.commit()
            except DBAPIError as error:
                if isinstance(error.orig, _CONFLICTS):
                    raise
                connection.invalidate()
                self._hosts.look_again(host)
                raise OutcomeUnknownError(f"the commit did not end: {_one_line(error)}") from error
        if any(_NOT_REPLICATED in notice for notice in notices):
            raise OutcomeUnknownError("the commit was cancelled before a standby had it")
        return result

    @contextmanager
    def _connection(self, host: PostgresHost, seconds: float) -> Iterator[Connection]:
        with host.engine.connect() as connection:
            driver = _driver(connection)
            with self._deadlines.limit(driver.fileno(), seconds):
                try:
                    yield connection
                except BaseException:
                    with suppress(DBAPIError):
                        connection.rollback()  # here, since it would be done later without a time limit
                    if driver.closed and not connection.invalidated:
                        connection.invalidate()  # prepared statements bypass SQLAlchemy, which would see it itself
                    raise

    def _failed(self, host: PostgresHost, error: Exception) -> None:
        if isinstance(error, OperationalError) or isinstance(getattr(error, "orig", None), _READ_ONLY):
            host.engine.dispose()  # its other idle connections are broken too
            self._hosts.look_again(host)


@contextmanager
def _notices(connection: Connection, found: list[str]) -> Iterator[None]:
    """Collect the database's notices during the block."""
    driver = _driver(connection)

    def collect(notice: errors.Diagnostic) -> None:
        found.append(notice.message_primary or "")

    driver.add_notice_handler(collect)
    try:
        yield
    finally:
        driver.remove_notice_handler(collect)


def _driver(connection: Connection) -> psycopg.Connection:
    return cast("psycopg.Connection", connection.connection.driver_connection)


def _one_line(error: Exception | None) -> str:
    return " ".join(str(getattr(error, "orig", error)).split())
