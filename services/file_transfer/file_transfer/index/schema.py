"""The tables of the index. They are the same in SQLite and PostgreSQL; `migrations` creates them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

RECEIVING = "receiving"
"""The state of content whose bytes are arriving. It becomes garbage when its lease ends, unless it is published."""

LIVE = "live"
"""The state of a published file's content."""

GARBAGE = "garbage"
"""The state of content that nobody can reach any more. Its chunks are deleted once it is due."""

USAGE_SHARDS = 16
"""Rows over which the usage is spread, so that concurrent transactions seldom wait for each other."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A time in UTC, stored as microseconds since 1970, so that both databases compare it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what the database stores."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """Return the time that the database has stored."""
        return None if value is None else _EPOCH + value * _MICROSECOND


metadata = MetaData()

_NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is sorted by the bytes of its UTF-8, as SQLite does by default."""

files = Table(
    "files",
    metadata,
    Column("name", _NAME, primary_key=True),
    # Differs for each time that a file is published under the name. It is the id of the content, if there is one.
    Column("version", Uuid, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("modified", Moment, nullable=False),
    Column("expires", Moment),
    Column("downloads_left", Integer),
    # The content itself if it is small. Otherwise it is in chunks.
    Column("data", LargeBinary),
)
_EXPIRES = files.c.expires.is_not(None)
Index("files_expires", files.c.expires, postgresql_where=_EXPIRES, sqlite_where=_EXPIRES)

contents = Table(
    "contents",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("state", String(9), nullable=False),
    # The bytes that the usage counts for it: reserved while it is received, then its size.
    Column("size", BigInteger, nullable=False),
    # When the lease of received content ends, or when garbage may be deleted. Live content is never due.
    Column("due", Moment),
)
_IS_DUE = contents.c.due.is_not(None)
Index("contents_due", contents.c.due, postgresql_where=_IS_DUE, sqlite_where=_IS_DUE)

chunks = Table(
    "chunks",
    metadata,
    Column("key", Text, primary_key=True),
    Column("content_id", Uuid, ForeignKey("contents.id"), nullable=False),
    # The position of the chunk's first byte in the content. A chunk without one is reserved, and may or may not exist.
    Column("start", BigInteger),
    Column("size", BigInteger, nullable=False),
)
Index("chunks_content", chunks.c.content_id, chunks.c.start)

uploads = Table(
    "uploads",
    metadata,
    # Also the id of the upload's content, and the version of the file that is published from it.
    Column("id", Uuid, primary_key=True),
    Column("length", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("details", Text, nullable=False),
    # The state of the SHA-256 of the bytes so far, then the SHA-256 itself once the file is published.
    Column("hash_state", LargeBinary),
    Column("sha256", LargeBinary(32)),
)
Index("uploads_expires", uploads.c.expires)

downloads = Table(
    "downloads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Uuid, nullable=False),
    Column("expires", Moment, nullable=False),
)
Index("downloads_version", downloads.c.version)
Index("downloads_expires", downloads.c.expires)

usage = Table(
    "usage",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
    Column("files", BigInteger, nullable=False),
)

owners = Table(
    "owners",
    metadata,
    # The version of a published file, or the id of content that is being received.
    Column("version", Uuid, primary_key=True),
    # The name of the token with which it is stored.
    Column("token", Text, nullable=False),
    # The bytes that the token's usage counts for it.
    Column("size", BigInteger, nullable=False),
)

token_usage = Table(
    "token_usage",
    metadata,
    Column("token", Text, primary_key=True),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
)
