"""Resumable uploads. All functions run inside a transaction of the caller."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from file_transfer.index import contents
from file_transfer.index.schema import uploads
from file_transfer.limits import Owner
from file_transfer.upload import Upload

_BY_ID = select(uploads).where(uploads.c.id == bindparam("wanted"))
_LOCKED = _BY_ID.with_for_update()
_ADVANCE = (
    update(uploads)
    .where(
        uploads.c.id == bindparam("wanted"),
        uploads.c.position == bindparam("old_position"),
        uploads.c.sha256.is_(None),
    )
    .values(position=bindparam("new_position"), hash_state=bindparam("state"), expires=bindparam("until"))
)


class UploadChangedError(Exception):
    """Another request has changed the upload meanwhile."""


def find(connection: Connection, identifier: UUID, now: datetime, *, lock: bool = False) -> Upload | None:
    """Return the upload, or None if there is none or it has expired.

    With `lock`, no other transaction can change it until this one ends.
    """
    row = connection.execute(_LOCKED if lock else _BY_ID, {"wanted": identifier}).one_or_none()
    if row is None or row.expires <= now:
        return None
    return Upload(
        id=row.id,
        length=row.length,
        offset=row.position,
        expires=row.expires,
        metadata=json.loads(row.details),
        hash_state=row.hash_state,
        sha256=row.sha256.hex() if row.sha256 else None,
    )


def create(connection: Connection, upload: Upload, quota: int, owner: Owner) -> None:
    """Create the upload, and reserve room for all of its bytes.

    Raises:
        QuotaError: a quota does not allow it.
    """
    contents.create(connection, upload.id, until=upload.expires, size=upload.length, quota=quota, owner=owner)
    values: dict[str, Any] = {
        "id": upload.id,
        "length": upload.length,
        "position": 0,
        "expires": upload.expires,
        "details": json.dumps(upload.metadata),
        "hash_state": upload.hash_state,
    }
    connection.execute(insert(uploads), values)


def advance(connection: Connection, upload: Upload, old_position: int) -> None:
    """Record that the upload, which was at `old_position`, has got as far as its offset, and renew its lease.

    Raises:
        UploadChangedError: the upload is at another position, or gone.
        LeaseLostError: its lease has ended.
    """
    values = {
        "wanted": upload.id,
        "old_position": old_position,
        "new_position": upload.offset,
        "state": upload.hash_state,
        "until": upload.expires,
    }
    if not connection.execute(_ADVANCE, values).rowcount:
        raise UploadChangedError
    contents.renew(connection, upload.id, until=upload.expires)


def finish(connection: Connection, identifier: UUID, sha256: str) -> None:
    """Record that the upload has been published. It stays until it expires, for a client that asks again."""
    connection.execute(
        update(uploads).where(uploads.c.id == identifier).values(sha256=bytes.fromhex(sha256), hash_state=None)
    )


def renew(connection: Connection, identifier: UUID, until: datetime) -> None:
    """Keep the upload for longer."""
    connection.execute(update(uploads).where(uploads.c.id == identifier).values(expires=until))


def remove(connection: Connection, identifier: UUID, now: datetime) -> bool:
    """Remove the upload. Its content becomes garbage unless it was published. Return False if there is none."""
    row = connection.execute(_LOCKED, {"wanted": identifier}).one_or_none()
    if row is None:
        return False
    _remove(connection, [identifier], now)
    return True


def _remove(connection: Connection, ids: Sequence[UUID], now: datetime) -> None:
    connection.execute(delete(uploads).where(uploads.c.id.in_(ids)))
    # Their chunks stay for a while, since a request may still be writing some.
    contents.abandon(connection, ids, now + contents.LEASE)


def remove_expired(connection: Connection, now: datetime, limit: int) -> int:
    """Remove up to `limit` uploads that have expired, and return how many."""
    expired = select(uploads.c.id).where(uploads.c.expires <= now).limit(limit).with_for_update(skip_locked=True)
    ids = connection.execute(expired).scalars().all()
    if ids:
        _remove(connection, ids, now)
    return len(ids)
