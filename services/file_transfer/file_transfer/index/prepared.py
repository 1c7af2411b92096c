"""Statements that are compiled once. With SQLite they go straight to its driver, which takes a fraction of the time."""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import BindParameter, Connection, Delete, Dialect, Insert, Select, Update

Row = Any
"""A row of a result, with its columns as attributes."""

_Convert = Callable[[Any], Any] | None


class Prepared:
    """A statement whose parameters are single values. A list's length would change the statement."""

    def __init__(self, statement: Select[*tuple[Any, ...]] | Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def one_or_none(self, connection: Connection, values: Mapping[str, object]) -> Row:
        """Return the row of a result that has at most one, or None."""
        if connection.dialect.name == "sqlite":
            return self._for_sqlite(connection).one_or_none(sqlite_driver(connection), values)
        return connection.execute(self._statement, values).one_or_none()

    def change(self, connection: Connection, values: Mapping[str, object]) -> int:
        """Run a statement that changes rows, and return how many an update or a deletion has changed."""
        if connection.dialect.name == "sqlite":
            return self._for_sqlite(connection).execute(sqlite_driver(connection), values).rowcount
        return connection.execute(self._statement, values).rowcount

    def _for_sqlite(self, connection: Connection) -> "_Compiled":
        if self._compiled is None:
            self._compiled = _Compiled(self._statement, connection.dialect)
        return self._compiled


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection, which is in the same transaction."""
    return cast("sqlite3.Connection", connection.connection.driver_connection)


class _Compiled:
    """A statement as SQLite's driver takes it, with the conversions of its values."""

    def __init__(self, statement: Select[*tuple[Any, ...]] | Insert | Update | Delete, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._parameters = [_parameter(compiled.binds[name], dialect) for name in compiled.positiontup or ()]
        columns = list(statement.selected_columns) if isinstance(statement, Select) else []
        self._row = namedtuple("_Row", [column.name for column in columns])  # type: ignore[misc] # noqa: PYI024 - its columns are known only now
        self._from_database: list[_Convert] = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]

    def execute(self, driver: sqlite3.Connection, values: Mapping[str, object]) -> sqlite3.Cursor:
        return driver.execute(self._sql, [parameter(values) for parameter in self._parameters])

    def one_or_none(self, driver: sqlite3.Connection, values: Mapping[str, object]) -> Row:
        rows = self.execute(driver, values).fetchmany(2)
        if not rows:
            return None
        (row,) = rows
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
