"""What is to be deleted. Its amount, not the number of files, decides what a sweep costs.

All functions run inside a transaction of the caller.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, and_, delete, func, select, update

from file_transfer.index import contents, downloads, files, uploads
from file_transfer.index.schema import GARBAGE, RECEIVING, chunks
from file_transfer.index.schema import contents as contents_table

CLAIM = timedelta(minutes=5)
"""How long a sweeper may take to delete what it has claimed. After that, another one may claim it."""

_BATCH = 500

_KEYS = 1000
"""How many chunks are deleted before they are forgotten, which has to be done well before the claim ends."""


def collect(connection: Connection, now: datetime, reader_grace: timedelta) -> int:
    """Make garbage of what has expired: files, uploads, and content whose lease has ended. Return how many were found.

    It stops after a batch of each. Call it again until it finds nothing.
    """
    downloads.forget_expired(connection, now)
    found = files.remove_expired(connection, now, _BATCH, reader_grace)
    found += uploads.remove_expired(connection, now, _BATCH)
    abandoned = (
        connection.execute(
            select(contents_table.c.id)
            .where(contents_table.c.state == RECEIVING, contents_table.c.due <= now)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
        .scalars()
        .all()
    )
    if abandoned:
        contents.abandon(connection, abandoned, now)
    return found + len(abandoned)


def claim(connection: Connection, now: datetime) -> tuple[list[UUID], list[str]]:
    """Claim a batch of content to delete, which no other sweeper gets for a while. Return it, and its first keys."""
    due = (
        select(contents_table.c.id)
        .where(contents_table.c.state == GARBAGE, contents_table.c.due <= now)
        .order_by(contents_table.c.due)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(due).scalars())
    if ids:
        _claim_for_longer(connection, ids, now)
    return ids, _keys(connection, ids)


def forget(connection: Connection, ids: Sequence[UUID], keys: Sequence[str], now: datetime) -> list[str]:
    """Forget chunks that have been deleted. Return the next keys of claimed content, which stays claimed for longer."""
    connection.execute(delete(chunks).where(chunks.c.key.in_(keys)))
    following = _keys(connection, ids)
    if following:
        _claim_for_longer(connection, ids, now)
    else:
        connection.execute(delete(contents_table).where(contents_table.c.id.in_(ids)))
    return following


def _claim_for_longer(connection: Connection, ids: Sequence[UUID], now: datetime) -> None:
    connection.execute(update(contents_table).where(contents_table.c.id.in_(ids)).values(due=now + CLAIM))


def _keys(connection: Connection, ids: Sequence[UUID]) -> list[str]:
    query = select(chunks.c.key).where(chunks.c.content_id.in_(ids)).limit(_KEYS)
    return list(connection.execute(query).scalars())


def count(connection: Connection) -> int:
    """Return the number of chunks that are garbage and not deleted yet."""
    is_garbage = and_(contents_table.c.state == GARBAGE, contents_table.c.due.is_not(None))  # the latter has an index
    query = select(func.count()).select_from(chunks.join(contents_table)).where(is_garbage)
    return int(connection.execute(query).scalar_one())
