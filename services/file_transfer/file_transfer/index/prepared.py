"""Statements that are compiled once and go straight to the database's driver, which takes a fraction of the time."""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import BindParameter, Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

Row = Any
"""A row of a result, with its columns as attributes."""

_Convert = Callable[[Any], Any] | None
_Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete


class Prepared:
    """A statement whose parameters are single values. A list's length would change the statement.

    Its errors are the driver's own with SQLite, and SQLAlchemy's with PostgreSQL.
    """

    def __init__(self, statement: _Statement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def one_or_none(self, connection: Connection, values: Mapping[str, object]) -> Row:
        """Return the row of a result that has at most one, or None."""
        compiled = self._for(connection.dialect)
        with _errors(connection, compiled):
            rows = compiled.execute(connection, values).fetchmany(2)
        return compiled.row(*rows) if rows else None

    def change(self, connection: Connection, values: Mapping[str, object]) -> int:
        """Run a statement that changes rows, and return how many an update or a deletion has changed."""
        compiled = self._for(connection.dialect)
        with _errors(connection, compiled):
            return int(compiled.execute(connection, values).rowcount)

    def _for(self, dialect: Dialect) -> "_Compiled":
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        return self._compiled[dialect.name]


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection, which is in the same transaction."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


@contextmanager
def _errors(connection: Connection, compiled: "_Compiled") -> Iterator[None]:
    """Raise SQLAlchemy's errors in place of those of PostgreSQL's driver, as SQLAlchemy itself would."""
    if connection.dialect.name == "sqlite":
        yield
        return
    base = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        raise DBAPIError.instance(compiled.sql, None, error, base, dialect=connection.dialect) from error


class _Compiled:
    """A statement as a driver takes it, with the conversions of its values."""

    def __init__(self, statement: _Statement, dialect: Dialect) -> None:
        if not dialect.positional:
            dialect = cast("type[Any]", type(dialect))(paramstyle="format")
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._parameters = [_parameter(compiled.binds[name], dialect) for name in compiled.positiontup or ()]
        columns = list(statement.selected_columns if isinstance(statement, Select) else statement.exported_columns)
        self._row = namedtuple("_Row", [column.name for column in columns])  # type: ignore[misc] # noqa: PYI024 - its columns are known only now
        self._from_database: list[_Convert] = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]

    def execute(self, connection: Connection, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - any driver's cursor
        driver: Any = connection.connection.driver_connection
        return driver.execute(self.sql, [parameter(values) for parameter in self._parameters])

    def row(self, row: tuple[Any, ...]) -> Row:
        return self._row(
            *(
                value if convert is None or value is None else convert(value)
                for value, convert in zip(row, self._from_database, strict=True)
            )
        )


def _parameter(parameter: BindParameter[Any], dialect: Dialect) -> Callable[[Mapping[str, object]], object]:
    """Return a function that finds the parameter's value among all values, and converts it for the database."""
    convert: _Convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
    if not parameter.required:
        constant = convert(parameter.value) if convert else parameter.value
        return lambda _: constant
    key = parameter.key
    if convert is None:
        return lambda values: values[key]
    converted = convert
    return lambda values: converted(values[key])
