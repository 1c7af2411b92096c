"""Prepared statements give the same as SQLAlchemy itself, in both databases."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import bindparam, insert, select, update

from file_transfer.index.database import Database
from file_transfer.index.prepared import Prepared
from file_transfer.index.schema import files

ROWS = [
    {
        "name": "é",
        "version": UUID(int=7),
        "size": 2**40,
        "sha256": bytes(range(32)),
        "modified": datetime(2026, 11, 29, 1, 2, 3, 456789, tzinfo=UTC),
        "expires": None,
        "downloads_left": None,
        "data": None,
    },
    {
        "name": "",
        "version": UUID(int=8),
        "size": 0,
        "sha256": bytes(32),
        "modified": datetime(1969, 12, 31, tzinfo=UTC),
        "expires": datetime(2126, 1, 1, tzinfo=UTC),
        "downloads_left": 3,
        "data": b"\x00\xff",
    },
]

_BY_NAME = select(files).where(files.c.name == bindparam("name"))


@pytest.mark.parametrize("values", ROWS, ids=["large", "small"])
def test_a_row_is_stored_and_found_as_sqlalchemy_does(database: Database, values: dict[str, object]) -> None:
    database.write(lambda connection: Prepared(insert(files)).change(connection, values))

    by_sqlalchemy = database.read(lambda connection: connection.execute(_BY_NAME, {"name": values["name"]}).one())
    found = database.read(lambda connection: Prepared(_BY_NAME).one_or_none(connection, values))
    assert by_sqlalchemy._asdict() == values
    assert {name: getattr(found, name) for name in values} == values


def test_there_is_no_row_if_nothing_is_found(database: Database) -> None:
    assert database.read(lambda connection: Prepared(_BY_NAME).one_or_none(connection, {"name": "none"})) is None


def test_a_constant_in_a_statement_is_used(database: Database) -> None:
    database.write(lambda connection: Prepared(insert(files)).change(connection, ROWS[1]))
    emptied = update(files).where(files.c.name == bindparam("wanted")).values(expires=None, downloads_left=9)

    changed = database.write(lambda connection: Prepared(emptied).change(connection, {"wanted": ROWS[1]["name"]}))

    found = database.read(lambda connection: Prepared(_BY_NAME).one_or_none(connection, ROWS[1]))
    assert (changed, found.expires, found.downloads_left) == (1, None, 9)
