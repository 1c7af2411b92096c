"""The index of one machine: SQLite in the data directory. Uploads that end together share one disk write."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from file_transfer.chunks import StorageFullError, StorageUnavailableError

T = TypeVar("T")

_BUSY_SECONDS = 10
_MOST_AT_ONCE = 64
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)

_Change = tuple[Callable[[Connection], Any], Future[Any]]


class SqliteDatabase:
    """A database in the file `path`. Any number of processes may have it open.

    `connections` is how many threads of this process may read at once; more of them wait.
    """

    def __init__(self, path: Path, connections: int = 16) -> None:
        self._path = path
        self._readers = _engine(path, pool_size=connections)
        self._writer = _engine(path, pool_size=1)
        self._changes: SimpleQueue[_Change | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def read(self, query: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        try:
            with self._readers.connect() as connection:
                return query(connection)
        except OperationalError as error:
            raise _translated(error) from error

    def write(self, change: Callable[[Connection], T]) -> T:
        """See `Database.write`."""
        self._start()
        outcome: Future[T] = Future()
        self._changes.put((change, outcome))
        try:
            return outcome.result()
        except OperationalError as error:
            raise _translated(error) from error

    def check(self) -> None:
        """See `Database.check`."""
        self.read(lambda connection: connection.exec_driver_sql("SELECT 1"))

    def check_writable(self) -> None:
        """See `Database.check_writable`."""
        self.check()

    def close(self) -> None:
        """See `Database.close`."""
        if self._thread:
            self._changes.put(None)
            self._thread.join()
        self._readers.dispose()
        self._writer.dispose()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (first := self._changes.get()) is not None:
            batch = [first]
            while len(batch) < _MOST_AT_ONCE and not self._changes.empty():
                following = self._changes.get()
                if following is None:
                    self._changes.put(None)
                    break
                batch.append(following)
            self._commit(batch)

    def _commit(self, batch: list[_Change]) -> None:
        """Run the changes in one transaction. One that fails is undone alone, and does not affect the others."""
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._writer.connect() as connection, connection.begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                for change, outcome in batch:
                    try:
                        with _savepoint(connection):
                            done.append((outcome, change(connection)))
                    except Exception as error:  # noqa: BLE001 - whoever waits for this change gets it
                        outcome.set_exception(error)
                connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            for _, outcome in batch:
                if not outcome.done():
                    outcome.set_exception(error)
            return
        for outcome, result in done:
            outcome.set_result(result)


class _savepoint:  # noqa: N801 - used like a function
    """A part of a transaction that is undone if it raises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.exec_driver_sql("SAVEPOINT one_change")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            # A full disk may have ended the whole transaction already.
            with suppress(OperationalError):
                self._connection.exec_driver_sql("ROLLBACK TO one_change")
        with suppress(OperationalError):
            self._connection.exec_driver_sql("RELEASE one_change")


def _engine(path: Path, pool_size: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_BUSY_SECONDS,
        # Transactions are begun and ended in SQL, because Python's sqlite3 cannot begin one that writes.
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before anybody is told
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_size_limit = 67108864")

    return engine


def _translated(error: OperationalError) -> Exception:
    original = error.orig
    if isinstance(original, sqlite3.Error) and getattr(original, "sqlite_errorcode", 0) in _FULL:
        return StorageFullError(28, "there is no space left for the index")
    return StorageUnavailableError(f"the index: {original}")
