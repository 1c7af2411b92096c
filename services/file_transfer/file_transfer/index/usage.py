"""How many bytes and files are stored, in all and with each token.

They are counted in the transactions that store and remove them.
"""

import random
from collections.abc import Collection, Mapping
from types import MappingProxyType

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, insert, select, update

from file_transfer.errors import QuotaError, TokenQuotaError
from file_transfer.index.prepared import Prepared, Row
from file_transfer.index.schema import USAGE_SHARDS, token_usage, usage
from file_transfer.limits import NOBODY, Owner

_RESERVED = 0
"""The shard to which transactions that reserve room add. They lock it, and so run one after the other."""


class _Count:
    """A count that is spread over rows, so that transactions that only add seldom wait for each other's rows."""

    def __init__(self, table: Table, columns: Collection[str], *ours: ColumnElement[bool]) -> None:
        added = {column: table.c[column] + bindparam(f"more_{column}") for column in columns}
        self._insert = Prepared(insert(table))
        self._add = Prepared(update(table).where(table.c.shard == bindparam("to"), *ours).values(added))
        self._total = Prepared(select(*(func.sum(table.c[column]).label(column) for column in columns)).where(*ours))
        self._lock = Prepared(select(table.c.shard).where(table.c.shard == _RESERVED, *ours).with_for_update())

    def total(self, connection: Connection, **key: str) -> Row:
        return self._total.one_or_none(connection, key)

    def change(self, connection: Connection, more: Mapping[str, int], quota: int, **key: str) -> int | None:
        """Add, unless there are more bytes and they would exceed the quota. Return how many are used if they would."""
        if not quota or more["bytes"] <= 0:
            # One row for each connection, so that no two transactions wait for each other's rows.
            shard = connection.info.setdefault("usage", random.randrange(USAGE_SHARDS))  # noqa: S311 - spreads load
            self._add_to(connection, shard, more, key)
            return None
        if self._lock.one_or_none(connection, key) is None:
            # If another transaction does the same now, one of the two fails and is run again.
            self._insert.change(connection, {**key, "shard": _RESERVED, **dict.fromkeys(more, 0)})
        used = int(self.total(connection, **key).bytes)
        if used + more["bytes"] > quota:
            return used
        self._add_to(connection, _RESERVED, more, key)
        return None

    def _add_to(self, connection: Connection, shard: int, more: Mapping[str, int], key: Mapping[str, str]) -> None:
        values = {f"more_{column}": number for column, number in more.items()}
        if not self._add.change(connection, {**key, "to": shard, **values}):
            self._insert.change(connection, {**key, "shard": shard, **more})


_ALL = _Count(usage, ("bytes", "files"))
_OF_TOKENS = select(token_usage.c.token, func.sum(token_usage.c.bytes).label("bytes")).group_by(token_usage.c.token)
_OF_TOKEN = _Count(token_usage, ("bytes",), token_usage.c.token == bindparam("token"))


def count(
    connection: Connection,
    *,
    size: int = 0,
    files: int = 0,
    quota: int = 0,
    tokens: Mapping[str, int] = MappingProxyType({}),
    owner: Owner = NOBODY,
) -> None:
    """Count `size` more bytes and `files` more files, and more bytes for each of the `tokens`. All may be negative.

    If there are more bytes, all of them may not exceed the quota, nor those of the owner's token the owner's quota.
    A quota of 0 means no limit.

    Raises:
        QuotaError: they would.
    """
    if (size or files) and _ALL.change(connection, {"bytes": size, "files": files}, quota) is not None:
        raise QuotaError(f"all files together may have {quota} bytes: delete some files first")
    for token, more in sorted(tokens.items()):  # in one order, so that two transactions do not wait for each other
        own = owner.quota if token == owner.name else 0
        used = _OF_TOKEN.change(connection, {"bytes": more}, own, token=token) if more else None
        if used is not None:
            raise TokenQuotaError(
                f'what is stored with the token "{token}" may have {own} bytes and has {used}: '
                "delete or replace some of it first"
            )


def total(connection: Connection) -> tuple[int, int]:
    """Return the bytes of all files and running uploads, and the number of files."""
    row = _ALL.total(connection)
    return int(row.bytes), int(row.files)


def of_tokens(connection: Connection) -> dict[str, int]:
    """Return the bytes of all files that were stored, and uploads that were begun, with each token, by its name."""
    return {row.token: int(row.bytes) for row in connection.execute(_OF_TOKENS)}
