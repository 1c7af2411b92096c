"""Connections that read from SQLite. They stay open, since a connection's set-up takes longer than most queries."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from file_transfer.chunks import StorageUnavailableError

_CACHE_KIB = 256
"""Pages that a connection caches. The kernel caches them too, and there are many connections."""


class Readers:
    """At most `count` connections. Whoever finds all of them in use waits for up to `patience` seconds."""

    def __init__(self, engine: Engine, count: int, patience: float) -> None:
        self._engine = engine
        self._patience = patience
        self._free = threading.Semaphore(count)
        self._idle: list[Connection] = []

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection. The idle one that was used last is lent first, so few are opened.

        Raises:
            StorageUnavailableError: all of them are in use for too long.
        """
        if not self._free.acquire(timeout=self._patience):
            raise StorageUnavailableError("the index: too many requests read it at once")
        try:
            connection = self._taken()
            try:
                yield connection
                if connection.in_transaction():
                    connection.rollback()  # SQLAlchemy's own idea of a transaction; the database has none
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
            return connection
