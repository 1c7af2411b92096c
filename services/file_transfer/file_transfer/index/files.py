"""Published files. All functions run inside a transaction of the caller."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from file_transfer import conditions
from file_transfer.conditions import Conditions
from file_transfer.index import contents, owners, usage
from file_transfer.index.prepared import Prepared, Row
from file_transfer.index.schema import files
from file_transfer.limits import NOBODY, Owner
from file_transfer.stored_file import StoredFile

_DESCRIPTION = tuple(column for column in files.c if column is not files.c.data)
_BY_NAME = Prepared(select(files).where(files.c.name == bindparam("wanted")))
_LOCKABLE = select(*_DESCRIPTION, files.c.data.is_not(None).label("is_small"))
_CURRENT = Prepared(_LOCKABLE.where(files.c.name == bindparam("wanted")).with_for_update())
_INSERT = Prepared(insert(files))
_REPLACE = Prepared(
    update(files)
    .where(files.c.name == bindparam("wanted"))
    .values({column: bindparam(f"new_{column.name}") for column in files.c if column is not files.c.name})
)
_REMOVE = Prepared(delete(files).where(files.c.name == bindparam("wanted")))
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def find(connection: Connection, name: str, now: datetime) -> StoredFile | None:
    """Return the file with its small content, or None if there is none or it has expired."""
    row = _BY_NAME.one_or_none(connection, {"wanted": name})
    file = None if row is None else _file(row, row.data)
    return None if file is None or file.is_expired(now) else file


def page(connection: Connection, prefix: str, after: str, limit: int, now: datetime) -> list[StoredFile]:
    """Return up to `limit` files whose names begin with `prefix` and sort after `after`, in byte order."""
    # One bound only, since SQLite reads from the first one that it finds.
    first = files.c.name > after if after >= prefix else files.c.name >= prefix
    query = (
        select(*_DESCRIPTION)
        .where(first, or_(files.c.expires.is_(None), files.c.expires > now))
        .order_by(files.c.name)
        .limit(limit)
    )
    if end := _end_of_prefix(prefix):
        query = query.where(files.c.name < end)
    return [_file(row) for row in connection.execute(query)]


def publish(
    connection: Connection,
    file: StoredFile,
    *,
    now: datetime,
    reader_grace: timedelta,
    quota: int = 0,
    owner: Owner = NOBODY,
    condition: Conditions = conditions.NONE,
) -> bool:
    """Publish the file, whose content becomes live. What it replaces becomes garbage. Return True if the name is new.

    Publishing the same version again is harmless. The quota is in bytes; 0 means none. The owner is that of a small
    file: content in chunks has one since it was created.

    Raises:
        PreconditionError: the condition does not hold.
        QuotaError: a quota does not allow a small file.
        LeaseLostError: the content's lease has ended.
    """
    row = locked(connection, file.name)
    if row is not None and row.version == file.version:
        # An earlier attempt succeeded, but perhaps on one host only. This change makes the commit wait for the other.
        _REPLACE.change(connection, _new_values(file))
        return True
    current = None if row is None else _file(row)
    visible = None if current is None or current.is_expired(now) else current
    condition.check_change(visible)
    tokens = owners.forget(connection, [] if row is None else [row.version])
    more = 0 if row is None else -row.size
    if file.data is not None:  # the room for content in chunks was reserved before it was sent
        tokens.update(owners.record(connection, file.version, owner, file.size))
        more += file.size
    usage.count(connection, size=more, files=int(row is None), quota=quota, tokens=tokens, owner=owner)
    if file.data is None:
        contents.publish(connection, file.version, file.size, now)
    if row is None:
        _INSERT.change(connection, _values(file))
    else:
        _retire(connection, [row], now + reader_grace)
        _REPLACE.change(connection, _new_values(file))
    return visible is None


def remove(
    connection: Connection,
    name: str,
    now: datetime,
    reader_grace: timedelta,
    condition: Conditions = conditions.NONE,
) -> bool:
    """Remove the file; its content becomes garbage. Return False if there is none, or it has expired.

    Raises:
        PreconditionError: the condition does not hold.
    """
    row = locked(connection, name)
    if row is None or (file := _file(row)).is_expired(now):
        return False
    condition.check_change(file)
    drop(connection, row, now + reader_grace)
    return True


def remove_expired(connection: Connection, now: datetime, limit: int, reader_grace: timedelta) -> int:
    """Remove up to `limit` files that have expired, and return how many."""
    rows = connection.execute(
        _LOCKABLE.where(files.c.expires <= now).order_by(files.c.expires).limit(limit).with_for_update(skip_locked=True)
    ).all()
    if rows:
        connection.execute(delete(files).where(files.c.name.in_([row.name for row in rows])))
        _retire(connection, rows, now + reader_grace)
        tokens = owners.forget(connection, [row.version for row in rows])
        usage.count(connection, size=-sum(row.size for row in rows), files=-len(rows), tokens=tokens)
    return len(rows)


def locked(connection: Connection, name: str) -> Row | None:
    """Return the row of the file, which no other transaction can change until this one ends."""
    return _CURRENT.one_or_none(connection, {"wanted": name})


def drop(connection: Connection, row: Row, due: datetime) -> None:
    """Delete a locked row of a file. Its content becomes garbage that may be deleted when `due`."""
    _REMOVE.change(connection, {"wanted": row.name})
    _retire(connection, [row], due)
    usage.count(connection, size=-row.size, files=-1, tokens=owners.forget(connection, [row.version]))


def _retire(connection: Connection, rows: Sequence[Row], due: datetime) -> None:
    if versions := [row.version for row in rows if not row.is_small]:
        contents.retire(connection, versions, due)


def _file(row: Row, data: bytes | None = None) -> StoredFile:
    return StoredFile(
        name=row.name,
        version=row.version,
        size=row.size,
        sha256=row.sha256.hex(),
        modified=row.modified,
        expires=row.expires,
        downloads_left=row.downloads_left,
        data=data,
    )


def _values(file: StoredFile) -> dict[str, Any]:
    return {**{column.name: getattr(file, column.name) for column in files.c}, "sha256": bytes.fromhex(file.sha256)}


def _new_values(file: StoredFile) -> dict[str, Any]:
    values = {f"new_{name}": value for name, value in _values(file).items() if name != "name"}
    return {"wanted": file.name, **values}


def _end_of_prefix(prefix: str) -> str:
    """Return the first text that sorts after every text with this prefix; empty if there is none."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return ""
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
