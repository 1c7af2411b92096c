"""A real PostgreSQL primary with a synchronous standby on loopback.

Its disk is not waited for: the tests kill processes, which loses nothing that the kernel has, but no machine.
"""

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from running import free_ports, wait_until
from sqlalchemy import Connection, MetaData, delete, insert, select

from components import patroni
from file_transfer.index.migrate import migrate
from file_transfer.index.postgres import PostgresDatabase
from file_transfer.settings import PostgresSettings

PASSWORD = "password-of-the-tests"
USER = "file_transfer"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
fsync = off
full_page_writes = off
shared_buffers = 16MB
wal_level = replica
hot_standby = on
wal_sender_timeout = 5s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
synchronous_commit = remote_apply
synchronous_standby_names = '{standbys}'
ssl = on
ssl_cert_file = '{identity}'
ssl_key_file = '{identity}'
"""
IDENTITY = "identity.pem"
SEED = "seed-of-the-tests"


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL, which Debian does not put on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


@dataclass
class Node:
    """One server. PostgreSQL refuses to run as root, so root's tests run it as nobody."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    def run(self, *command: str) -> None:
        result = subprocess.run(_unprivileged(list(command)), capture_output=True, text=True, cwd="/", check=False)
        assert result.returncode == 0, result.stderr

    def start(self) -> None:
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                _unprivileged([program("postgres"), "-D", str(self.folder), "-p", str(self.port)]),
                stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip
        wait_until(self.answers, seconds=60)

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=database, autocommit=True
        )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all processes that it has forked, each of which has a group of its own."""
        assert self.process
        parent = str(self.process.pid)
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", parent], capture_output=True, text=True, check=True)
        for pid in (self.process.pid, *map(int, listed.stdout.split())):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        assert self.process
        self.signal(signal.SIGKILL)
        self.process.wait(timeout=30)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)


@dataclass(frozen=True)
class Postgres:
    primary: Node
    standby: Node

    @property
    def authority(self) -> Path:
        return self.primary.folder.parent / "authority.pem"

    def settings(self, standbys: int = 1, template: str = "template1") -> PostgresSettings:
        """Return settings for a new database: an empty one, or a copy of another one that nobody uses."""
        database = f"test_{uuid.uuid4().hex}"
        with self.primary.connect() as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return PostgresSettings(
            hosts=(("localhost", self.primary.port), ("localhost", self.standby.port)),
            password=PASSWORD,
            authority=self.authority,
            connections=8,
            standbys=standbys,
            database=database,
        )

    def variables(self, folder: Path) -> dict[str, str]:
        """Return the service's variables for its database, which is emptied."""
        with self.primary.connect() as connection:
            connection.execute("DROP DATABASE IF EXISTS file_transfer WITH (FORCE)")
            connection.execute("CREATE DATABASE file_transfer")
        (folder / "postgres-password").write_text(PASSWORD)
        return {
            "POSTGRES_HOSTS": f"localhost:{self.primary.port},localhost:{self.standby.port}",
            "POSTGRES_PASSWORD_FILE": str(folder / "postgres-password"),
            "POSTGRES_AUTHORITY_FILE": str(self.authority),
        }

    def mend(self) -> None:
        """Bring back what a test has killed or stopped."""
        for node in (self.primary, self.standby):
            if node.process and node.process.poll() is None:
                node.signal(signal.SIGCONT)
            else:
                node.start()
        wait_until(self.synchronous)

    def synchronous(self) -> bool:
        with self.primary.connect() as connection:
            rows = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
        return rows == [("sync",)]


class MigratedIndex:
    """A migrated database that tests use one after the other: making one for each would take longer than the test."""

    def __init__(self, cluster: Postgres) -> None:
        self._database = PostgresDatabase(cluster.settings())
        migrate(self._database)
        self._tables = MetaData()
        self._database.read(self._tables.reflect)
        self._rows = self._database.read(self._all_rows)
        self._clean = self._position()

    def without_files(self) -> PostgresDatabase:
        """Return it with the rows that the migrations have made, and no others."""
        if self._position() != self._clean:
            self._database.write(self._restore)
            self._clean = self._position()
        return self._database

    def close(self) -> None:
        self._database.close()

    def _position(self) -> str:
        """Return where the write-ahead log ends. As long as it is there, nothing has been changed."""
        position: str = self._database.read(
            lambda connection: connection.exec_driver_sql("SELECT pg_current_wal_insert_lsn()").scalar_one()
        )
        return position

    def _all_rows(self, connection: Connection) -> dict[str, list[dict[str, Any]]]:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in self._tables.sorted_tables
        }

    def _restore(self, connection: Connection) -> None:
        for table in reversed(self._tables.sorted_tables):
            connection.execute(delete(table))
        for table in self._tables.sorted_tables:
            if self._rows[table.name]:
                connection.execute(insert(table), self._rows[table.name])


@contextmanager
def running(folder: Path) -> Iterator[Postgres]:
    if os.geteuid() == 0:
        folder = Path(shutil.move(folder, f"/tmp/{folder.name}-{uuid.uuid4().hex}"))  # nobody cannot enter pytest's
        os.chown(folder, 65534, 65534)
    primary, standby = free_ports(2)
    nodes = Postgres(Node(folder / "primary", primary), Node(folder / "standby", standby))
    try:
        _create_certificates(nodes, folder)
        _create_primary(nodes.primary, folder)
        _create_standby(nodes)
        yield nodes
    finally:
        for node in (nodes.standby, nodes.primary):
            if node.process and node.process.poll() is None:
                node.kill()
        shutil.rmtree(folder)


def _create_certificates(nodes: Postgres, folder: Path) -> None:
    nodes.authority.write_text(patroni.authority(SEED))
    identity = folder / IDENTITY
    identity.write_text(patroni.identity(SEED, "postgres").pem)
    identity.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(identity, 65534, 65534)


def _create_primary(node: Node, folder: Path) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    node.run(
        program("initdb"), "-D", str(node.folder), "-U", USER, "--pwfile", str(password), "-A", "scram-sha-256",
        "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
    )  # fmt: skip
    with (node.folder / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION.format(standbys="", identity=folder / IDENTITY))
    node.start()


def _create_standby(nodes: Postgres) -> None:
    primary, standby = nodes.primary, nodes.standby
    address = f"host=127.0.0.1 port={primary.port} user={USER} password={PASSWORD} application_name=standby"
    standby.run(program("pg_basebackup"), "-D", str(standby.folder), "-R", "-X", "stream", "-d", address, "-c", "fast")
    standby.start()
    with primary.connect() as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        connection.execute("SELECT pg_reload_conf()")
    wait_until(nodes.synchronous)


def _unprivileged(command: list[str]) -> list[str]:
    return [*NOBODY, *command] if os.geteuid() == 0 else command
