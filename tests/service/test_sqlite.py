"""The index in SQLite: changes share a transaction, and each is done whole or not at all."""

import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from running import wait_until
from sqlalchemy import Connection, select, update

from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.errors import RefusedError
from file_transfer.index import files
from file_transfer.index.migrate import migrate
from file_transfer.index.schema import usage
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.stored_file import StoredFile


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "index.sqlite")
    migrate(opened)
    yield opened
    opened.close()


def count_files(shard: int) -> Callable[[Connection], None]:
    return lambda connection: connection.execute(update(usage).where(usage.c.shard == shard).values(files=1))


def counted(database: SqliteDatabase) -> list[int]:
    query = select(usage.c.shard).where(usage.c.files == 1).order_by(usage.c.shard)
    return list(database.read(lambda connection: connection.execute(query).scalars().all()))


def run_together(database: SqliteDatabase, *changes: Callable[[Connection], Any]) -> list[Exception | None]:
    """Run the changes in one transaction, and return the error of each."""
    begun, go_on = threading.Event(), threading.Event()
    errors: list[Exception | None] = [None] * len(changes)

    def hold_up(_: Connection) -> None:
        begun.set()
        assert go_on.wait(30)

    def run(number: int) -> None:
        try:
            database.write(changes[number])
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors[number] = error

    threads = [threading.Thread(target=database.write, args=(hold_up,))]
    threads[0].start()
    assert begun.wait(30)
    for number in range(len(changes)):
        threads.append(threading.Thread(target=run, args=(number,)))
        threads[-1].start()
        wait_until(lambda: database._changes.qsize() == number + 1)  # noqa: B023 - used at once
    go_on.set()
    for thread in threads:
        thread.join()
    return errors


def test_a_change_that_fails_is_undone_alone(database: SqliteDatabase) -> None:
    def refused(connection: Connection) -> None:
        count_files(2)(connection)
        raise RefusedError("refused")

    errors = run_together(database, count_files(1), refused, count_files(3))

    assert [type(error) for error in errors] == [type(None), RefusedError, type(None)]
    assert counted(database) == [1, 3]


def test_a_change_that_cannot_be_undone_fails_all_that_share_its_transaction(database: SqliteDatabase) -> None:
    def refused(connection: Connection) -> None:
        count_files(2)(connection)
        connection.exec_driver_sql("RELEASE one_change")  # what an error of the disk does, too
        raise RefusedError("refused")

    errors = run_together(database, count_files(1), refused, count_files(3))

    assert all(errors)
    assert counted(database) == []


def test_a_full_disk_is_reported_and_leaves_nothing_half_done(database: SqliteDatabase) -> None:
    def fill(connection: Connection) -> None:
        count_files(2)(connection)
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.exec_driver_sql("CREATE TABLE filling AS SELECT zeroblob(1000000)")

    errors = run_together(database, count_files(1), fill, count_files(3))

    assert isinstance(errors[1], StorageFullError)
    done = [number for number, error in ((1, errors[0]), (3, errors[2])) if error is None]
    assert counted(database) == done


def test_readers_that_wait_for_too_long_are_told_that_it_is_not_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("file_transfer.index.sqlite._BUSY_SECONDS", 0.1)
    database = SqliteDatabase(tmp_path / "index.sqlite", connections=1)

    with pytest.raises(StorageUnavailableError):
        database.read(lambda _: database.check())
    database.close()


@pytest.mark.slow
def test_the_write_ahead_log_stays_small_while_somebody_always_reads(
    database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 2**19
    monkeypatch.setattr("file_transfer.index.sqlite._LOG_BYTES", limit)
    monkeypatch.setattr(database, "_largest_log", limit)
    is_written = threading.Event()

    def publish(number: int) -> None:
        file = StoredFile(name=f"{number:04}", size=1, sha256="00" * 32, modified=now(), data=bytes(2**16))
        database.write(lambda connection: files.publish(connection, file, now=now(), reader_grace=timedelta(0)))

    def read() -> None:
        while not is_written.is_set():
            database.read(lambda connection: files.page(connection, "", "", 1000, now()))

    log, sizes = tmp_path / "index.sqlite-wal", []
    for number in range(50):
        publish(number)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            pool.submit(read)
        for number in range(50, 150):
            publish(number)
            sizes.append(log.stat().st_size)
        is_written.set()

    assert max(sizes) < 8 * limit


def failing(database: SqliteDatabase, code: int, times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let so many reads fail with this code of SQLite. Return a list that gets an entry for each attempt."""
    attempts: list[int] = []
    connection = database._readers.connection

    def fail() -> Any:
        attempts.append(code)
        if len(attempts) > times:
            return connection()
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(database._readers, "connection", fail)
    return attempts


@pytest.mark.parametrize("code", [sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT])
def test_a_read_that_meets_a_commit_of_a_process_that_may_write_is_repeated(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """SQLite reports this only to those who may not write to its files, by chance, and rarely."""
    attempts = failing(database, code, 3, monkeypatch)

    assert counted(database) == []
    assert len(attempts) == 4


@pytest.mark.parametrize(
    ("code", "expected"),
    [(sqlite3.SQLITE_READONLY_RECOVERY, 10), (sqlite3.SQLITE_READONLY_DIRECTORY, 1), (sqlite3.SQLITE_CORRUPT, 1)],
)
def test_a_read_that_fails_again_and_again_is_given_up(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, code: int, expected: int
) -> None:
    attempts = failing(database, code, 100, monkeypatch)

    with pytest.raises(StorageUnavailableError, match="the index: attempt to write"):
        counted(database)

    assert len(attempts) == expected


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """Yield another path of the folder, in a file system that cannot be written, as a volume is to a task."""
    mounted = folder.with_name(f"{folder.name} read-only")
    mounted.mkdir()
    subprocess.run(["mount", "--bind", folder, mounted], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", mounted], check=True)
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


@pytest.mark.needs_root  # to mount the folder read-only
def test_a_user_who_may_only_read_is_told_what_is_missing(tmp_path: Path) -> None:
    with closing(SqliteDatabase(tmp_path / "index.sqlite")) as made:
        migrate(made)

    with (
        read_only(tmp_path) as folder,
        closing(SqliteDatabase(folder / "index.sqlite")) as reader,
        pytest.raises(StorageUnavailableError, match="may only read its folder needs a replica that is running"),
    ):
        reader.check()
