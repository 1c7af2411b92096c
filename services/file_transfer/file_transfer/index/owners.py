"""Who stored what: the token for which content counts, from its first byte until it is removed or replaced.

The owners have a table of their own: a replica of a release without them would keep a column of the file that it
replaces, and the new content would count for the old owner.

The functions that change owners return by how many bytes the usage of each token changes; `usage.count` counts them in
the same transaction. All functions run inside a transaction of the caller.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, Integer, and_, bindparam, delete, insert, select, update

from file_transfer.index.prepared import Prepared
from file_transfer.index.schema import GARBAGE, contents, files, owners
from file_transfer.limits import Owner

FIRST = UUID(int=0)
"""Sorts before the version of any content."""

_CHECKED = 500
"""How many owners are checked at a time."""

_INSERT = Prepared(insert(owners))
_TOKEN = Prepared(select(owners.c.token).where(owners.c.version == bindparam("wanted")))
_GROW = Prepared(
    update(owners)
    .where(owners.c.version == bindparam("wanted"))
    .values(size=owners.c.size + bindparam("more"))
    .returning(owners.c.token)
)
_FORGET = Prepared(
    delete(owners).where(owners.c.version == bindparam("wanted")).returning(owners.c.token, owners.c.size)
)
_PAGE = (
    select(owners.c.version, owners.c.name)
    .where(owners.c.version > bindparam("after"))
    .order_by(owners.c.version)
    .limit(bindparam("count", type_=Integer))
    .subquery()
)
_NEXT = (
    select(_PAGE.c.version, and_(files.c.name.is_(None), contents.c.id.is_(None)).label("is_lost"))
    .outerjoin(files, and_(files.c.name == _PAGE.c.name, files.c.version == _PAGE.c.version))
    .outerjoin(contents, and_(contents.c.id == _PAGE.c.version, contents.c.state != GARBAGE))
    .order_by(_PAGE.c.version)
)


def record(connection: Connection, version: UUID, owner: Owner, size: int, name: str | None = None) -> Counter[str]:
    """Record whose content this is. `name` is that of a file whose content is small."""
    if not owner.name:
        return Counter()
    _INSERT.change(connection, {"version": version, "token": owner.name, "size": size, "name": name})
    return Counter({owner.name: size})


def grow(connection: Connection, version: UUID, more: int) -> Counter[str]:
    """Count `more` bytes, which may be negative, for whoever owns the content."""
    row = _GROW.one_or_none(connection, {"wanted": version, "more": more}) if more else None
    return Counter() if row is None else Counter({row.token: more})


def forget(connection: Connection, versions: Iterable[UUID]) -> Counter[str]:
    """Forget the owners of content that is removed or replaced."""
    changed: Counter[str] = Counter()
    for version in versions:
        row = _FORGET.one_or_none(connection, {"wanted": version})
        if row is not None:
            changed[row.token] -= row.size
    return changed


def find(connection: Connection, version: UUID) -> str:
    """Return the name of the token for which the content counts; "" for none."""
    row = _TOKEN.one_or_none(connection, {"wanted": version})
    return "" if row is None else str(row.token)


def find_lost(connection: Connection, after: UUID) -> tuple[Sequence[UUID], UUID]:
    """Return which of the next owners after this version have lost their content, and where to go on.

    That happens only if a replica of a release without owners removes or replaces content. A version never comes back.
    """
    rows = connection.execute(_NEXT, {"after": after, "count": _CHECKED}).all()
    return [row.version for row in rows if row.is_lost], rows[-1].version if len(rows) == _CHECKED else FIRST
