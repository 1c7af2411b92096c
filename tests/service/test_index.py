"""The index: one schema in both databases, and statements whose cost does not grow with the number of files."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, text

from file_transfer.clock import now
from file_transfer.index import files, garbage, schema
from file_transfer.index.database import Database
from file_transfer.index.migrate import migrate
from file_transfer.index.sqlite import SqliteDatabase

SCHEMA = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'alembic%' ORDER BY name",
    "postgresql": """
        SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'
        UNION ALL
        SELECT tablename, indexname, indexdef, NULL, NULL, NULL
        FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic%'
        UNION ALL
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL, NULL
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'alembic%'
        ORDER BY 1, 2, 3
    """,
}


def layout(database: Database) -> list[list[str]]:
    rows = database.read(lambda connection: connection.execute(text(SCHEMA[connection.dialect.name])).all())
    return [" ".join(map(str, row)).split() for row in rows]


def test_migrations_create_the_schema_that_the_statements_use(database: Database, empty: Database) -> None:
    empty.write(schema.metadata.create_all)

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), schema.metadata)

    assert database.read(differences) == []
    assert layout(database) == layout(empty)


def test_a_migrated_index_stays_as_it_is(database: Database) -> None:
    before = layout(database)

    migrate(database)

    assert layout(database) == before


def test_names_are_sorted_by_their_bytes(database: Database) -> None:
    names = ["B", "a", "é", "日", "\ue000", "😀"]
    database.write(lambda connection: connection.execute(insert(schema.files), [row(name) for name in names]))

    assert [file.name for file in database.read(lambda connection: files.page(connection, "", "", 9, now()))] == names


def row(name: str) -> dict[str, object]:
    return {"name": name, "version": uuid4(), "size": 0, "sha256": b"", "modified": now()}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteDatabase]:
    """An index of many files, each with a chunk."""
    database = SqliteDatabase(tmp_path_factory.mktemp("large") / "index.sqlite", connections=1)
    migrate(database)

    def fill(connection: Connection) -> None:
        rows = [row(f"file-{number:05}") for number in range(20_000)]
        connection.execute(insert(schema.files), rows)
        live = [{"id": file["version"], "state": schema.LIVE, "size": 1} for file in rows]
        connection.execute(insert(schema.contents), live)
        pieces = [{"key": file["name"], "content_id": file["version"], "start": 0, "size": 1} for file in rows]
        connection.execute(insert(schema.chunks), pieces)
        owned = [{"version": file["version"], "token": "ci", "size": 1, "name": file["name"]} for file in rows]
        connection.execute(insert(schema.owners), owned)

    database.write(fill)
    yield database
    database.close()


@pytest.mark.parametrize(
    "query",
    [
        lambda connection: files.page(connection, "", "", 10, now()),
        lambda connection: files.page(connection, "", "file-15000", 10, now()),
        lambda connection: files.page(connection, "file-19", "", 10, now()),
        lambda connection: files.page(connection, "file-1", "file-19000", 10, now()),
        lambda connection: files.find(connection, "file-19000", now()),
        garbage.count,
        lambda connection: garbage.collect(connection, now(), timedelta(0)),
        lambda connection: garbage.claim(connection, now()),
    ],
    ids=["page", "middle", "prefix", "both", "file", "garbage", "collect", "claim"],
)
def test_the_cost_does_not_grow_with_the_number_of_files(
    large: SqliteDatabase, query: Callable[[Connection], object]
) -> None:
    assert 0 < steps(large, query) < 2000


def steps(database: SqliteDatabase, query: Callable[[Connection], object]) -> int:
    """Return how many steps of SQLite's machine a query takes."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    def counted(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.set_progress_handler(count, 1)
        query(connection)
        driver.set_progress_handler(None, 1)

    database.write(counted)
    return taken
