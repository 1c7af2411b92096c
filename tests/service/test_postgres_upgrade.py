"""The image's scripts on a real PostgreSQL: the index is closed, written to a file, and made anew from it."""

import itertools
import os
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import postgres
import psycopg
import pytest
from postgres import Node
from running import free_ports, wait_until

from components import patroni
from file_transfer.chunks import StorageUnavailableError
from file_transfer.clock import now
from file_transfer.index import files
from file_transfer.index.migrate import migrate
from file_transfer.index.postgres import PostgresDatabase
from file_transfer.settings import PostgresSettings
from file_transfer.stored_file import StoredFile

SCRIPTS = Path(__file__).parents[2] / "services" / "postgres"
PROGRAMS = Path(postgres.program("postgres")).parent
MAJOR = int(PROGRAMS.parent.name)
EARLIER = MAJOR - 1


@dataclass
class Server(Node):
    """A server that answers once its roles have been set, which Patroni does when it has started one."""

    container: "Container | None" = None

    def answers(self) -> bool:
        assert self.container
        return self.container.run("set_roles.sh", "on_start", "primary").returncode == 0 and super().answers()


class Container:
    """The image's scripts with this machine's PostgreSQL, and paths in a folder instead of the container's."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.node = Server(folder / "postgresql/data", port, container=self)
        self.dump = self.node.folder / "index.dump"
        self.folder = folder
        for name in ("socket", "secrets", "etc", "opt", "postgresql", "programs"):
            (folder / name).mkdir()
        (folder / "secrets/password").write_text(postgres.PASSWORD)
        (folder / "etc/patroni.yml").write_text(f"scope: {patroni.scope(MAJOR)}\n")
        (folder / "etc/shared.json").write_text(patroni.shared_config(standbys=0, connections=30))
        self.authority = folder / "authority.pem"
        self.authority.write_text(patroni.authority(postgres.SEED))
        (folder / postgres.IDENTITY).write_text(patroni.identity(postgres.SEED, "postgres").pem)
        (folder / postgres.IDENTITY).chmod(0o600)
        # It keeps the one key that is put, and lists those of `has_keys`.
        self.program(
            "etcdctl",
            f'echo "$*" >>{folder}/etcdctl\n'
            f'case "$*" in put*) echo "$3" >{folder}/put ;; "del /upgrade"*) rm {folder}/put ;;\n'
            f'"get --prefix"*) cat {folder}/keys ;; get*/upgrade/closed) cat {folder}/put ;; esac',
        )
        self.program("sleep", "exit 0")
        self.has_keys()
        replaced = {
            "/var/lib/postgresql": folder / "postgresql",
            "/usr/lib/postgresql/$POSTGRES_MAJOR/bin": PROGRAMS,
            "/opt/postgres": folder / "opt",
            "/etc/patroni": folder / "etc",
            "/run/secrets": folder / "secrets",
            "--host /tmp": f"--host {folder}/socket",
            "/tmp/index.lock": folder / "socket/index.lock",
            "directories=/tmp": f"directories={folder}/socket",
            "--auth-local=peer": "--auth-local=trust --username=patroni",  # the user has another name here
            "--auth-host=reject": "--auth-host=scram-sha-256",
        }
        for name in ("fit_data.sh", "index.sh", "new_database.sh", "patroni_etcd.sh", "peers.sh", "set_roles.sh"):
            text = (SCRIPTS / name).read_text()
            for path, instead in replaced.items():
                text = text.replace(path, str(instead))
            (folder / "opt" / name).write_text(text)
            (folder / "opt" / name).chmod(0o755)
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534)

    def program(self, name: str, text: str) -> None:
        (self.folder / "programs" / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / "programs" / name).chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(self.folder / "opt" / script), *arguments]
        environment = {
            "PATH": f"{self.folder}/programs:/usr/sbin:/usr/bin:/bin",
            "POSTGRES_MAJOR": str(MAJOR),
            "POSTGRES_PEERS": "",
            "PGUSER": "patroni",
            "PGPORT": str(self.node.port),
        }
        if os.geteuid() == 0:
            command = [*postgres.NOBODY, *command]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/", check=False)

    def script(self, script: str, *arguments: str) -> str:
        done = self.run(script, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        """Start PostgreSQL, and let the script set the roles as Patroni does."""
        identity = self.folder / postgres.IDENTITY
        with (self.node.folder / "postgresql.conf").open("a") as configuration:
            configuration.write(postgres.CONFIGURATION.format(standbys="", identity=identity))
            configuration.write(f"unix_socket_directories = '{self.folder}/socket'\n")
        self.node.start()

    def stop(self) -> None:
        assert self.node.process
        self.node.process.send_signal(signal.SIGINT)
        self.node.process.wait(30)

    def has_keys(self, *keys: str) -> None:
        """Let etcd have these keys."""
        (self.folder / "keys").write_text("".join(f"{key}\n\n" for key in keys))

    def asked(self) -> list[str]:
        """Return what etcd was asked."""
        return (self.folder / "etcdctl").read_text().splitlines()

    @contextmanager
    def database(self) -> Iterator[PostgresDatabase]:
        settings = PostgresSettings(
            hosts=(("localhost", self.node.port),),
            password=postgres.PASSWORD,
            authority=self.authority,
            connections=4,
            standbys=0,
            database="file_transfer",
        )
        with closing(PostgresDatabase(settings)) as opened:
            migrate(opened)
            yield opened


@pytest.fixture
def container() -> Iterator[Container]:
    """A container with a running, migrated index."""
    folder = Path(f"/tmp/upgrade-{uuid.uuid4().hex[:8]}")  # the path of a socket has to be short
    folder.mkdir()
    made = Container(folder)
    try:
        made.script("new_database.sh", "--no-sync", "--pgdata", str(made.node.folder))
        made.start()
        yield made
    finally:
        if made.node.process and made.node.process.poll() is None:
            made.node.kill()
        shutil.rmtree(folder)


@pytest.fixture
def database(container: Container) -> Iterator[PostgresDatabase]:
    with container.database() as opened:
        yield opened


def publish(database: PostgresDatabase, name: str) -> None:
    file = StoredFile(name=name, size=1, sha256="00" * 32, modified=now(), data=b"x")
    database.write(lambda connection: files.publish(connection, file, now=now(), reader_grace=timedelta(0)))


def names(database: PostgresDatabase) -> set[str]:
    return {file.name for file in database.read(lambda connection: files.page(connection, "", "", 100_000, now()))}


def test_every_acknowledged_file_is_in_the_index_of_the_new_version(
    container: Container, database: PostgresDatabase
) -> None:
    acknowledged: set[str] = set()

    def write() -> None:
        with suppress(StorageUnavailableError):
            for number in itertools.count():
                publish(database, str(number))
                acknowledged.add(str(number))

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: len(acknowledged) > 50)

    assert container.script("index.sh", "close", "a mark") == "closed\n"
    writer.join(60)
    with container.database() as closed:
        assert names(closed) >= acknowledged, "downloads go on"
    container.script("index.sh", "dump", "a mark")
    container.stop()
    (container.node.folder / "PG_VERSION").write_text(f"{EARLIER}\n")
    container.script("fit_data.sh")
    container.start()

    with container.database() as upgraded:
        assert names(upgraded) >= acknowledged
        publish(upgraded, "new")
    assert not container.dump.exists()
    old = container.node.folder.with_name(f"data-{EARLIER}")
    assert (old / "PG_VERSION").read_text() == f"{EARLIER}\n"


def test_what_has_not_been_committed_when_the_index_is_closed_never_is(
    container: Container, database: PostgresDatabase
) -> None:
    publish(database, "acknowledged")
    changing = container.node.connect("file_transfer")
    changing.autocommit = False
    changing.execute("UPDATE files SET name = 'changed'")

    container.script("index.sh", "close", "a mark")

    with closing(changing), pytest.raises(psycopg.OperationalError):
        changing.commit()
    with container.database() as closed:
        assert names(closed) == {"acknowledged"}
    with container.node.connect("file_transfer") as late, pytest.raises(psycopg.errors.InsufficientPrivilege):
        late.execute("UPDATE files SET name = 'changed'")


def test_an_index_that_is_opened_again_has_no_dump_and_can_be_changed(
    container: Container, database: PostgresDatabase
) -> None:
    container.script("index.sh", "close", "a mark")
    container.script("index.sh", "dump", "a mark")
    with pytest.raises(StorageUnavailableError, match="permission denied"):
        publish(database, "refused")
    container.has_keys(
        f"/service/{patroni.scope(MAJOR)}/leader",
        f"/service/{patroni.scope(MAJOR)}/members/postgres-a",
        f"/service/{patroni.scope(MAJOR)}-later/initialize",
    )
    begun = [container.node.folder.with_name(f"data{end}") for end in (f"-{MAJOR + 1}.new", ".part")]
    for folder in begun:
        folder.mkdir()

    container.script("index.sh", "close", "the last mark")
    container.script("index.sh", "forget", "the last mark")
    late = container.run("index.sh", "dump", "a mark")
    assert container.script("index.sh", "open") == "open\n"

    assert "this was run again" in late.stderr
    publish(database, "stored")
    assert names(database) == {"stored"}
    assert not container.dump.exists()
    assert not any(folder.exists() for folder in begun)
    assert "del /upgrade/closed" in container.asked(), "no dump that may be left elsewhere is used"
    deleted = [line for line in container.asked() if line.startswith("del --prefix")]
    assert deleted == [f"del --prefix /service/{patroni.scope(MAJOR)}-later/"]


def test_a_standby_that_lacks_changes_is_not_written_to_a_file(container: Container) -> None:
    container.script("index.sh", "close", "the mark before")

    done = container.run("index.sh", "dump", "this mark")

    assert done.returncode == 1
    assert "does not follow the primary" in done.stderr
    assert not container.dump.exists()


def test_a_dump_that_goes_on_is_waited_for_and_removed(container: Container) -> None:
    """Somebody has lost the connection to one, and opens the index again."""
    container.script("index.sh", "close", "a mark")
    calls, let_go = container.folder / "calls", container.folder / "let-go"
    container.program("flock", f'echo "$1" >>{calls}; exec /usr/bin/flock "$@"')
    container.program(
        "pg_dump", f'echo dump >>{calls}; until [ -e {let_go} ]; do /bin/sleep 0.1; done; exec /usr/bin/pg_dump "$@"'
    )
    with ThreadPoolExecutor() as pool:
        dumping = pool.submit(container.run, "index.sh", "dump", "a mark")
        try:
            wait_until(lambda: calls.exists() and "dump" in calls.read_text())
            container.script("index.sh", "close", "the last mark")
            forgetting = pool.submit(container.run, "index.sh", "forget", "the last mark")
            wait_until(lambda: calls.read_text().split() == ["9", "dump", "9"])
        finally:
            let_go.touch()

        assert dumping.result().returncode == forgetting.result().returncode == 0
    assert not container.dump.exists()


def test_the_version_of_the_data_is_printed(container: Container) -> None:
    assert container.script("index.sh", "version") == f"{MAJOR}\n"
