"""Who stored what: the token for which content counts, from its first byte until it is removed or replaced.

Content keeps its owner from its reservation to its removal, so an owner is found by the version alone, whether the file
is published yet or not.

The functions that change owners return by how many bytes the usage of each token changes; `usage.count` counts them in
the same transaction. All functions run inside a transaction of the caller.
"""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from file_transfer.index.prepared import Prepared
from file_transfer.index.schema import owners
from file_transfer.limits import Owner

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


def record(connection: Connection, version: UUID, owner: Owner, size: int) -> Counter[str]:
    """Record whose content this is."""
    if not owner.name:
        return Counter()
    _INSERT.change(connection, {"version": version, "token": owner.name, "size": size})
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
