"""The index of one machine: SQLite in the data directory. Uploads that end together share one disk write."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.index.prepared import sqlite_driver
from file_transfer.index.sqlite_readers import Readers

T = TypeVar("T")

_BUSY_SECONDS = 10
_MOST_AT_ONCE = 64
_LOG_BYTES = 64 * 1024 * 1024
"""The write-ahead log is emptied once it is larger than this."""

_CHECKPOINT_SECONDS = 1
_ERRORS = (OperationalError, sqlite3.OperationalError)
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)

_PASSING = (sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT)
"""Errors that a read-only process gets if another process commits or starts at the same moment. They pass."""

_CANNOT_OPEN = ". A process that may only read its folder needs a replica that is running"

_READS = 10
_PASSING_SECONDS = 0.01

_Change = tuple[Callable[[Connection], Any], Future[Any]]


class SqliteDatabase:
    """A database in the file `path`. Any number of processes may have it open.

    A process that may only read the folder can read the database while a process that may write has it open. SQLite
    keeps shared state in two files beside the database, and only a process that may write creates them.

    `connections` is how many threads of this process may read at once; more of them wait.
    """

    def __init__(self, path: Path, connections: int = 16) -> None:
        self._engine = _engine(path)
        self._readers = Readers(self._engine, connections, _BUSY_SECONDS)
        self._changes: SimpleQueue[_Change | None] = SimpleQueue()
        self._log = Path(f"{path}-wal")
        self._largest_log = _LOG_BYTES
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def read(self, query: Callable[[Connection], T]) -> T:
        """See `Database.read`."""
        failures = 0
        while True:
            try:
                with self._readers.connection() as connection:
                    return query(connection)
            except _ERRORS as error:
                failures += 1
                if failures == _READS or _code(error) not in _PASSING:
                    raise _translated(error) from error
                time.sleep(_PASSING_SECONDS)

    def write(self, change: Callable[[Connection], T]) -> T:
        """See `Database.write`."""
        self._start()
        outcome: Future[T] = Future()
        self._changes.put((change, outcome))
        try:
            return outcome.result()
        except _ERRORS as error:
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
        self._readers.close()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        writer: Connection | None = None
        while (first := self._changes.get()) is not None:
            batch = [first]
            try:
                writer = writer or self._engine.connect()
                tell = self._commit(writer, batch)
            except BaseException as error:  # noqa: BLE001 - those who wait get it, or they would wait for ever
                tell = [partial(outcome.set_exception, error) for _, outcome in batch]
                if writer:
                    with suppress(Exception):
                        writer.close()  # which rolls back
                    writer = None
            for told in tell:
                told()
            if writer:
                self._limit_log(writer)
        if writer:
            writer.close()

    def _commit(self, writer: Connection, batch: list[_Change]) -> list[Callable[[], None]]:
        """Run the changes, and those that wait once it has begun, in one transaction. One that fails is undone alone.

        Return how to tell the outcomes. Nobody is told anything before the commit, since a refusal may be due to
        another change of the batch.
        """
        driver = sqlite_driver(writer)
        driver.execute("BEGIN IMMEDIATE")
        while len(batch) < _MOST_AT_ONCE and not self._changes.empty():
            following = self._changes.get()
            if following is None:
                self._changes.put(None)
                break
            batch.append(following)
        tell = [_run_alone(writer, change, outcome) for change, outcome in batch]
        driver.execute("COMMIT")
        return tell

    def _limit_log(self, writer: Connection) -> None:
        """Empty a large write-ahead log. SQLite does so only if nobody reads, which on a busy machine is never."""
        with suppress(OSError, sqlite3.OperationalError):
            size = self._log.stat().st_size
            if size <= self._largest_log:
                return
            self._largest_log = size + _LOG_BYTES  # for the next attempt, if this one fails
            driver = sqlite_driver(writer)
            driver.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_SECONDS * 1000}")
            try:
                is_busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                driver.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
            if not is_busy:
                self._largest_log = _LOG_BYTES


def _run_alone(connection: Connection, change: Callable[[Connection], T], outcome: Future[T]) -> Callable[[], None]:
    """Run a change as a part of a transaction, and return how to tell its outcome. If it fails, only it is undone.

    If it cannot be undone, the whole transaction fails: a full disk, for example, ends all of it.
    """
    driver = sqlite_driver(connection)
    driver.execute("SAVEPOINT one_change")
    try:
        tell = partial(outcome.set_result, change(connection))
    except BaseException as error:  # noqa: BLE001 - whoever waits for this change gets it
        tell = partial(outcome.set_exception, error)
        try:
            driver.execute("ROLLBACK TO one_change")
        except sqlite3.OperationalError:
            raise error from None
    driver.execute("RELEASE one_change")
    return tell


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,  # a connection is closed with its user
        # Transactions are begun and ended in SQL, because Python's sqlite3 cannot begin one that writes.
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before anybody is told
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")

    return engine


def _translated(error: OperationalError | sqlite3.OperationalError) -> Exception:
    if _code(error) in _FULL:
        return StorageFullError(28, "there is no space left for the index")
    hint = _CANNOT_OPEN if _code(error) == sqlite3.SQLITE_CANTOPEN else ""
    return StorageUnavailableError(f"the index: {_original(error)}{hint}")


def _original(error: OperationalError | sqlite3.OperationalError) -> BaseException:
    return getattr(error, "orig", None) or error


def _code(error: OperationalError | sqlite3.OperationalError) -> int:
    """Return SQLite's own code of the error; 0 if it has none."""
    return int(getattr(_original(error), "sqlite_errorcode", 0))
