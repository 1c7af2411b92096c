"""Content in chunks: reserved before a byte is written, live once published, then garbage until it is deleted.

All functions run inside a transaction of the caller.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, case, delete, insert, select, update

from file_transfer.chunks import Chunk
from file_transfer.index import owners, usage
from file_transfer.index.prepared import Prepared
from file_transfer.index.schema import GARBAGE, LIVE, RECEIVING, Moment, chunks, contents
from file_transfer.limits import NOBODY, Owner

LEASE = timedelta(minutes=10)
"""How long reserved chunks wait for their transfer to show that it is still running."""

_RENEW = Prepared(
    update(contents)
    .where(contents.c.id == bindparam("content"), contents.c.state == RECEIVING)
    .values(
        # An upload's own lease is longer than that of the request that continues it.
        due=case(
            (contents.c.due > bindparam("until", type_=Moment), contents.c.due), else_=bindparam("until", type_=Moment)
        ),
        size=contents.c.size + bindparam("more"),
    )
)
_INSERT = Prepared(insert(contents))
_PUBLISH = Prepared(
    update(contents).where(contents.c.id == bindparam("content")).values(state=LIVE, due=None, size=bindparam("final"))
)
_PLACE = (
    update(chunks)
    .where(chunks.c.key == bindparam("chunk"), chunks.c.content_id == bindparam("content"))
    .values(start=bindparam("first"), size=bindparam("length"))
)
_LOCKED = Prepared(
    select(contents.c.size, contents.c.state).where(contents.c.id == bindparam("content")).with_for_update()
)
_OF_CONTENT = (
    select(chunks.c.key, chunks.c.size, chunks.c.start)
    .where(
        chunks.c.content_id == bindparam("content"),
        chunks.c.start < bindparam("end"),
        chunks.c.start + chunks.c.size > bindparam("first"),
    )
    .order_by(chunks.c.start)
)


class LeaseLostError(Exception):
    """The content's lease has ended, so its chunks may be deleted at any time. It has to be sent again.

    Trying to store it once more is of no use, so this is no StorageUnavailableError.
    """


def create(
    connection: Connection,
    content: UUID,
    *,
    until: datetime,
    size: int,
    quota: int,
    owner: Owner,
    keys: Iterable[str] = (),
) -> None:
    """Create content that is about to be received, and reserve keys and `size` bytes of both quotas for it.

    Raises:
        QuotaError: a quota does not allow it.
    """
    tokens = owners.record(connection, content, owner, size)
    usage.count(connection, size=size, quota=quota, tokens=tokens, owner=owner)
    _INSERT.change(connection, {"id": content, "state": RECEIVING, "size": size, "due": until})
    _insert_keys(connection, content, keys)


def reserve(
    connection: Connection,
    content: UUID,
    *,
    keys: Iterable[str],
    until: datetime,
    size: int = 0,
    quota: int = 0,
    owner: Owner = NOBODY,
) -> None:
    """Renew the content's lease, and reserve keys and `size` more bytes for it.

    Raises:
        LeaseLostError: the lease has ended.
        QuotaError: a quota does not allow the bytes.
    """
    renew(connection, content, until=until, size=size)
    tokens = owners.grow(connection, content, size)
    usage.count(connection, size=size, quota=quota, tokens=tokens, owner=owner)
    _insert_keys(connection, content, keys)


def renew(connection: Connection, content: UUID, *, until: datetime, size: int = 0) -> None:
    """Renew the content's lease, which then has `size` more bytes.

    Raises:
        LeaseLostError: the lease has ended.
    """
    if not _RENEW.change(connection, {"content": content, "until": until, "more": size}):
        raise _lease_lost()


def place(connection: Connection, content: UUID, content_chunks: Sequence[Chunk], start: int) -> None:
    """Record the chunks, which were reserved for the content, as its bytes from position `start`.

    Raises:
        LeaseLostError: one of them is garbage, since the lease has ended.
    """
    rows = []
    for chunk in content_chunks:
        rows.append({"chunk": chunk.key, "content": content, "first": start, "length": chunk.size})
        start += chunk.size
    if rows and connection.execute(_PLACE, rows).rowcount != len(rows):
        raise _lease_lost()


def publish(connection: Connection, content: UUID, size: int, now: datetime) -> None:
    """Make the content live. It has `size` bytes, and chunks that were reserved but not used become garbage.

    Raises:
        LeaseLostError: the lease has ended.
    """
    row = _LOCKED.one_or_none(connection, {"content": content})
    if row is None or row.state != RECEIVING:
        raise _lease_lost()
    _PUBLISH.change(connection, {"content": content, "final": size})
    more = size - row.size
    usage.count(connection, size=more, tokens=owners.grow(connection, content, more))
    unused = and_(chunks.c.content_id == content, chunks.c.start.is_(None))
    if connection.execute(select(chunks.c.key).where(unused).limit(1)).first():
        connection.execute(update(chunks).where(unused).values(content_id=_new_garbage(connection, now + LEASE)))


def discard_keys(connection: Connection, keys: Sequence[str], due: datetime) -> None:
    """Make garbage of those of the keys that are not used, to be deleted when `due`. Their content stays as it is.

    Keys that were swept already are recorded again: something may have been stored under them after that.
    """
    connection.execute(delete(chunks).where(chunks.c.key.in_(keys), chunks.c.start.is_(None)))
    used = set(connection.execute(select(chunks.c.key).where(chunks.c.key.in_(keys))).scalars())
    if unused := [key for key in keys if key not in used]:
        _insert_keys(connection, _new_garbage(connection, due), unused)


def _insert_keys(connection: Connection, content: UUID, keys: Iterable[str]) -> None:
    if rows := [{"key": key, "content_id": content, "size": 0} for key in keys]:
        connection.execute(insert(chunks), rows)


def _new_garbage(connection: Connection, due: datetime) -> UUID:
    garbage = uuid.uuid4()
    _INSERT.change(connection, {"id": garbage, "state": GARBAGE, "size": 0, "due": due})
    return garbage


def abandon(connection: Connection, ids: Sequence[UUID], due: datetime) -> None:
    """Make garbage of content that is being received, to be deleted when `due`. Published content stays as it is."""
    receiving = select(contents.c.id, contents.c.size).where(contents.c.id.in_(ids), contents.c.state == RECEIVING)
    rows = connection.execute(receiving.with_for_update()).all()
    if rows:
        abandoned = [row.id for row in rows]
        _make_garbage(connection, abandoned, RECEIVING, due)
        tokens = owners.forget(connection, abandoned)
        usage.count(connection, size=-sum(row.size for row in rows), tokens=tokens)


def retire(connection: Connection, ids: Sequence[UUID], due: datetime) -> None:
    """Make garbage of published files' content, to be deleted when `due`. Owners and usage are left to the caller."""
    _make_garbage(connection, ids, LIVE, due)


def _make_garbage(connection: Connection, ids: Sequence[UUID], before: str, due: datetime) -> None:
    wanted = update(contents).where(contents.c.id.in_(ids), contents.c.state == before)
    connection.execute(wanted.values(state=GARBAGE, due=due))


def _lease_lost() -> LeaseLostError:
    return LeaseLostError("the upload took too long without sending a byte: send it again")


def has_chunks(connection: Connection, content: UUID, count: int) -> bool:
    """Return whether the content has this number of chunks or more, without counting further."""
    last = select(chunks.c.key).where(chunks.c.content_id == content, chunks.c.start.is_not(None))
    return connection.execute(last.offset(count - 1).limit(1)).first() is not None


def find_chunks(connection: Connection, content: UUID, start: int, size: int) -> tuple[list[Chunk], int]:
    """Return the chunks that hold `size` bytes from position `start`, and where in the first of them they begin."""
    found = connection.execute(_OF_CONTENT, {"content": content, "first": start, "end": start + size}).all()
    return [Chunk(row.key, row.size) for row in found], start - found[0].start if found else 0
