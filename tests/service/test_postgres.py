"""The index in PostgreSQL: what is acknowledged is on two hosts, and nothing waits for ever."""

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import postgres
import pytest
from postgres import Postgres
from running import wait_until
from sqlalchemy import Connection, select, text, update

from components import patroni
from file_transfer.chunks import StorageUnavailableError
from file_transfer.clock import now
from file_transfer.errors import RefusedError
from file_transfer.index import files, migrate, postgres_hosts
from file_transfer.index import postgres as postgres_index
from file_transfer.index.database import OutcomeUnknownError
from file_transfer.index.postgres import PostgresDatabase
from file_transfer.index.schema import usage
from file_transfer.stored_file import StoredFile


@pytest.fixture(scope="module")
def breakable_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with postgres.running(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def own_cluster(breakable_cluster: Postgres) -> Postgres:
    """A cluster that works, and that the test may break."""
    breakable_cluster.mend()
    return breakable_cluster


@pytest.fixture(scope="module")
def migrated(breakable_cluster: Postgres) -> str:
    """The name of a migrated database, to copy."""
    settings = breakable_cluster.settings()
    with closing(PostgresDatabase(settings)) as made:
        migrate.migrate(made)
    return settings.database


@pytest.fixture
def database(own_cluster: Postgres, migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[PostgresDatabase]:
    """A migrated index that soon sees what has become of the cluster."""
    monkeypatch.setattr(postgres_hosts, "_EVERY_SECONDS", 0.1)
    opened = PostgresDatabase(own_cluster.settings(template=migrated))
    yield opened
    opened.close()


def publish(database: PostgresDatabase, name: str) -> None:
    file = StoredFile(name=name, size=1, sha256="00" * 32, modified=now(), data=b"x")
    database.write(lambda connection: files.publish(connection, file, now=now(), reader_grace=timedelta(0)))


def names(database: PostgresDatabase) -> list[str]:
    return [file.name for file in database.read(lambda connection: files.page(connection, "", "", 100, now()))]


def test_writes_are_refused_at_once_while_there_is_no_standby_for_long(
    database: PostgresDatabase, own_cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_hosts, "_WRITABLE_AGAIN_SECONDS", 0)
    own_cluster.standby.kill()
    wait_until(lambda: refuses(database))

    with pytest.raises(StorageUnavailableError, match="no synchronous standby"):
        publish(database, "refused")
    assert names(database) == []

    own_cluster.standby.start()
    wait_until(lambda: not refuses(database))
    publish(database, "stored")
    assert names(database) == ["stored"]


def test_a_write_waits_for_a_standby_that_is_away_for_a_moment(
    database: PostgresDatabase, own_cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_hosts, "_WRITABLE_AGAIN_SECONDS", 60)
    own_cluster.standby.kill()
    wait_until(lambda: refuses(database))
    writer = threading.Thread(target=publish, args=(database, "stored"))
    writer.start()

    own_cluster.standby.start()
    writer.join(60)

    assert names(database) == ["stored"]


def is_published(database: PostgresDatabase, name: str) -> bool:
    try:
        publish(database, name)
    except StorageUnavailableError:
        return False
    return True


def refuses(database: PostgresDatabase) -> bool:
    try:
        database.check_writable()
    except StorageUnavailableError:
        return True
    return False


def test_what_is_said_to_postgresql_is_encrypted(database: PostgresDatabase) -> None:
    query = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

    assert database.read(lambda connection: connection.execute(query).scalar_one()) is True


@pytest.mark.parametrize(("authority", "host"), [("another seed", "localhost"), (postgres.SEED, "127.0.0.1")])
def test_a_stranger_in_the_place_of_postgresql_is_told_no_password(
    own_cluster: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: str, host: str
) -> None:
    monkeypatch.setattr(postgres_hosts, "_START_SECONDS", 0)
    settings = own_cluster.settings()
    (tmp_path / "authority.pem").write_text(patroni.authority(authority))
    hosts = tuple((host, port) for _, port in settings.hosts)
    settings = replace(settings, hosts=hosts, authority=tmp_path / "authority.pem")

    def refusal(database: PostgresDatabase) -> str:
        with pytest.raises(StorageUnavailableError) as refused:
            database.check()
        return str(refused.value)

    reason = re.compile(r"certificate (verify failed|for .* does not match)")
    with closing(PostgresDatabase(settings)) as database:
        wait_until(lambda: reason.search(refusal(database)) is not None)


def test_a_commit_that_waits_for_a_hanging_standby_ends_as_unknown(
    database: PostgresDatabase, own_cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_index, "_WRITE_SECONDS", 1)
    own_cluster.standby.signal(signal.SIGSTOP)

    with pytest.raises(OutcomeUnknownError):
        publish(database, "unknown")
    wait_until(lambda: refuses(database))

    own_cluster.standby.signal(signal.SIGCONT)
    wait_until(lambda: not refuses(database))
    wait_until(lambda: names(database) == ["unknown"])
    publish(database, "next")
    assert names(database) == ["next", "unknown"]


def test_a_cancelled_wait_for_the_standby_is_not_a_success(database: PostgresDatabase, own_cluster: Postgres) -> None:
    failures: list[Exception] = []

    def write() -> None:
        try:
            publish(database, "cancelled")
        except StorageUnavailableError as error:
            failures.append(error)

    own_cluster.standby.signal(signal.SIGSTOP)
    writer = threading.Thread(target=write)
    writer.start()
    with own_cluster.primary.connect() as connection:
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        wait_until(lambda: connection.execute(waiting).fetchall() != [])
        connection.execute(f"SELECT pg_cancel_backend(pid) FROM ({waiting}) AS waiting")
    writer.join()
    own_cluster.standby.signal(signal.SIGCONT)

    assert [type(failure) for failure in failures] == [OutcomeUnknownError]


def test_reads_go_on_without_the_primary(
    database: PostgresDatabase, own_cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_hosts, "_WRITABLE_AGAIN_SECONDS", 0)
    publish(database, "kept")
    own_cluster.primary.kill()

    wait_until(lambda: names(database) == ["kept"])
    wait_until(lambda: refuses(database))
    with pytest.raises(StorageUnavailableError, match="no primary"):
        publish(database, "refused")


def test_what_was_acknowledged_is_there_after_a_crash_of_the_primary(
    database: PostgresDatabase, own_cluster: Postgres
) -> None:
    for number in range(20):
        publish(database, f"file-{number:02}")
    own_cluster.primary.kill()
    own_cluster.primary.start()

    wait_until(lambda: is_published(database, "later"))
    assert names(database) == [f"file-{number:02}" for number in range(20)] + ["later"]


def test_a_broken_connection_is_replaced_before_the_transaction_has_failed(
    database: PostgresDatabase, own_cluster: Postgres
) -> None:
    publish(database, "before")
    with own_cluster.primary.connect() as connection:
        others = "application_name = 'file-transfer' AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")

    publish(database, "after")
    assert names(database) == ["after", "before"]


def test_a_read_on_a_broken_connection_is_repeated_and_prints_nothing(
    database: PostgresDatabase, own_cluster: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    publish(database, "before")
    with own_cluster.primary.connect() as connection:
        others = "application_name = 'file-transfer' AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")

    found = database.read(lambda connection: files.find(connection, "before", now()))
    assert found is not None
    assert caplog.text == ""


def test_a_connection_lost_during_the_commit_is_not_a_success(
    database: PostgresDatabase, own_cluster: Postgres
) -> None:
    def end_own_connection(connection: Connection) -> None:
        connection.execute(update(usage).values(files=1))
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with own_cluster.primary.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    with pytest.raises(OutcomeUnknownError):
        database.write(end_own_connection)


def test_undoing_a_change_does_not_wait_for_ever(
    database: PostgresDatabase, own_cluster: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_index, "_WRITE_SECONDS", 1)
    failures: list[Exception] = []

    def hang_and_fail(connection: Connection) -> None:
        connection.execute(update(usage).values(files=1))
        own_cluster.primary.signal(signal.SIGSTOP)
        raise RefusedError("refused")

    def write() -> None:
        try:
            database.write(hang_and_fail)
        except RefusedError as error:
            failures.append(error)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(30)
    own_cluster.primary.signal(signal.SIGCONT)

    assert len(failures) == 1


def test_several_replicas_migrate_at_once(own_cluster: Postgres) -> None:
    settings = own_cluster.settings()
    replicas = [PostgresDatabase(settings) for _ in range(4)]
    threads = [threading.Thread(target=migrate.migrate, args=(replica,)) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for replica in replicas:
        assert replica.read(lambda connection: connection.execute(select(usage.c.shard)).all())
        publish(replica, uuid4().hex)
        replica.close()
