"""How many bytes and files are stored. Changed in the transactions that store and remove them."""

import random

from sqlalchemy import Connection, bindparam, func, select, update

from file_transfer.errors import QuotaError
from file_transfer.index.prepared import Prepared
from file_transfer.index.schema import USAGE_SHARDS, usage

_ADD = Prepared(
    update(usage)
    .where(usage.c.shard == bindparam("to"))
    .values(bytes=usage.c.bytes + bindparam("more_bytes"), files=usage.c.files + bindparam("more_files"))
)
_TOTAL = Prepared(select(func.sum(usage.c.bytes).label("size"), func.sum(usage.c.files).label("files")))
_LOCK = Prepared(select(usage.c.shard).where(usage.c.shard == 0).with_for_update())


def add(connection: Connection, *, size: int = 0, files: int = 0) -> None:
    """Count `size` more bytes and `files` more files; both may be negative."""
    if size or files:
        # One row for each connection, so that no two transactions wait for each other's rows.
        shard = connection.info.setdefault("usage", random.randrange(USAGE_SHARDS))  # noqa: S311 - spreads load
        _ADD.change(connection, {"to": shard, "more_bytes": size, "more_files": files})


def reserve(connection: Connection, size: int, quota: int, *, files: int = 0) -> None:
    """Count `size` more bytes and `files` more files, unless all bytes would then exceed the quota; 0 means none.

    Raises:
        QuotaError: they would.
    """
    if quota and size > 0:
        _LOCK.one_or_none(connection, {})  # transactions that reserve room run one after the other
        if total(connection)[0] + size > quota:
            raise QuotaError(f"all files together may have {quota} bytes: delete some files first")
        _ADD.change(connection, {"to": 0, "more_bytes": size, "more_files": files})
    else:
        add(connection, size=size, files=files)


def total(connection: Connection) -> tuple[int, int]:
    """Return the bytes of all files and running uploads, and the number of files."""
    row = _TOTAL.one_or_none(connection, {})
    return int(row.size), int(row.files)
