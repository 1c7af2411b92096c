"""What the hosts of a PostgreSQL cluster do at the moment, asked about once a second by one thread for each host."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import QueuePool

from file_transfer import clock
from file_transfer.chunks import StorageUnavailableError
from file_transfer.index.deadline import Deadlines
from file_transfer.settings import PostgresSettings

_EVERY_SECONDS = 1.0

# The times below are for hosts of the usual speed: `PostgresSettings.patience` multiplies them.
_PROBE_SECONDS = 2.0
_FORGET_SECONDS = 4.0
"""How long an answer of a host is believed."""

_SILENT_SECONDS = 2.5
"""How long a standby may be silent. PostgreSQL is configured so that it sends something every second."""

_WRITABLE_AGAIN_SECONDS = 5.0
"""How long a write waits for a primary with a standby, counted from when there last was one."""

_POOL_SECONDS = 5.0
_START_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 2
_UNACKNOWLEDGED_SECONDS = 5

_PROBE = """
SELECT pg_is_in_recovery(), application_name, reply_time, clock_timestamp()
FROM (VALUES (1)) AS always LEFT JOIN pg_stat_replication ON state = 'streaming' AND sync_state IN ('sync', 'quorum')
"""


class PostgresHost:
    """One host: its pool of connections, and what it said last."""

    def __init__(self, settings: PostgresSettings, host: str, port: int) -> None:
        self.name = f"{host}:{port}"
        self.parameters = _parameters(settings, host, port)
        self.engine = _engine(self.parameters, settings)
        self._patience = settings.patience
        self.is_primary = False
        self.answered = float("-inf")
        self.failure = "it has not answered yet"
        self.probes = 0
        self.wake = threading.Event()
        self._standbys: dict[str, tuple[datetime, float]] = {}

    @property
    def is_alive(self) -> bool:
        """Whether the host has answered lately."""
        return time.monotonic() - self.answered < _FORGET_SECONDS * self._patience

    def standbys(self) -> int:
        """Return how many synchronous standbys have sent something lately."""
        # The standby's own clock does not matter, only that what it sends changes.
        silent = _SILENT_SECONDS * self._patience
        return sum(time.monotonic() - changed < silent for _, changed in self._standbys.values())

    def learn(self, rows: Sequence[tuple[bool, str | None, datetime | None, datetime]]) -> None:
        """Take in the answer to a probe."""
        now = time.monotonic()
        standbys = {}
        for _, name, replied, _ in rows:
            if name is not None and replied is not None:
                known = self._standbys.get(name)
                standbys[name] = known if known and known[0] == replied else (replied, now)
        self._standbys = standbys  # replaced whole, since other threads read it at any time
        self.is_primary = not rows[0][0]
        self.answered = now


class PostgresHosts:
    """All hosts of a cluster, and which of them can be read and written now."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._hosts = [PostgresHost(settings, host, port) for host, port in settings.hosts]
        self._deadlines = Deadlines()
        self._learned = threading.Condition()
        self._stopped = threading.Event()
        self._last_writable = float("-inf")
        self._threads = [
            threading.Thread(target=self._watch, args=(host,), name=f"probe-{host.name}", daemon=True)
            for host in self._hosts
        ]
        for thread in self._threads:
            thread.start()
        with self._learned:
            self._learned.wait_for(
                lambda: any(host.is_primary for host in self._hosts), _START_SECONDS * settings.patience
            )

    def readable(self) -> list[PostgresHost]:
        """Return the hosts that can be read, the primary first.

        Raises:
            StorageUnavailableError: there is none.
        """
        alive = [host for host in self._hosts if host.is_alive]
        if not alive:
            failures = "; ".join(f"{host.name}: {host.failure}" for host in self._hosts)
            raise StorageUnavailableError(f"no PostgreSQL host answers: {failures}")
        return sorted(alive, key=lambda host: not host.is_primary)

    def writable(self, *, is_patient: bool = False) -> PostgresHost:
        """Return the primary. If `is_patient`, wait if there was one a moment ago: it may only be slow or restarting.

        Raises:
            StorageUnavailableError: there is none, or it has too few synchronous standbys.
        """
        while True:
            try:
                primary = self._find_writable()
            except StorageUnavailableError:
                left = self._last_writable + _WRITABLE_AGAIN_SECONDS * self._settings.patience - time.monotonic()
                if not is_patient or left <= 0:
                    raise
                with self._learned:
                    self._learned.wait(min(left, _EVERY_SECONDS))
            else:
                self._last_writable = time.monotonic()
                return primary

    def look_again(self, host: PostgresHost) -> None:
        """Ask the host at once, after a connection to it has failed, and wait a moment for its answer."""
        with self._learned:
            before = host.probes
            host.wake.set()
            self._learned.wait_for(lambda: host.probes != before, _LOOK_SECONDS * self._settings.patience)

    def close(self) -> None:
        """Stop asking, and close all connections."""
        self._stopped.set()
        for host in self._hosts:
            host.wake.set()
        for thread in self._threads:
            thread.join()
        for host in self._hosts:
            host.engine.dispose()
        self._deadlines.close()

    def _find_writable(self) -> PostgresHost:
        primaries = [host for host in self._hosts if host.is_alive and host.is_primary]
        if not primaries:
            raise StorageUnavailableError("PostgreSQL has no primary at the moment")
        primary = max(primaries, key=PostgresHost.standbys)
        if primary.standbys() < self._settings.standbys:
            raise StorageUnavailableError("PostgreSQL has no synchronous standby at the moment")
        return primary

    def _watch(self, host: PostgresHost) -> None:
        connection: psycopg.Connection | None = None
        while not self._stopped.is_set():
            known, connection = connection, self._probe(host, connection)
            if known and not connection:  # it may just have been restarted
                connection = self._probe(host, None)
            with self._learned:
                host.probes += 1
                self._learned.notify_all()
            host.wake.wait(_EVERY_SECONDS)
            host.wake.clear()
        if connection:
            connection.close()

    def _probe(self, host: PostgresHost, connection: psycopg.Connection | None) -> psycopg.Connection | None:
        """Ask the host. Return the connection for the next time, or None if it does not answer."""
        try:
            connection = connection or psycopg.connect(**host.parameters, autocommit=True)
            with self._deadlines.limit(connection.fileno(), _PROBE_SECONDS * self._settings.patience):
                asked = time.monotonic()
                rows = connection.execute(_PROBE).fetchall()
                is_standby, *_, shown = rows[0]
                if not is_standby:
                    clock.follow(shown, (asked + time.monotonic()) / 2)
                host.learn(rows)
        except psycopg.Error as error:
            host.failure = " ".join(str(error).split())
            host.answered = float("-inf")
            if connection:
                with suppress(psycopg.Error):
                    connection.close()
            return None
        return connection


def _parameters(settings: PostgresSettings, host: str, port: int) -> dict[str, Any]:
    """Return libpq's connection parameters for one host."""
    return {
        "host": host,
        "port": port,
        "user": settings.user,
        "password": settings.password,
        "dbname": settings.database,
        "sslmode": "verify-full",
        "sslrootcert": str(settings.authority),
        "connect_timeout": _CONNECT_SECONDS * settings.patience,
        "tcp_user_timeout": _UNACKNOWLEDGED_SECONDS * 1000 * settings.patience,  # milliseconds
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "file-transfer",
    }


def _engine(parameters: Mapping[str, Any], settings: PostgresSettings) -> Engine:
    connect: Callable[[], psycopg.Connection] = lambda: psycopg.connect(**parameters)  # noqa: E731
    return create_engine(
        URL.create("postgresql+psycopg"),
        isolation_level="AUTOCOMMIT",  # most connections only read; a write switches to a transaction
        creator=connect,
        poolclass=QueuePool,
        pool_size=settings.connections,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS * settings.patience,
    )
