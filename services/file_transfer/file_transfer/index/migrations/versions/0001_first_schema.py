"""Create the tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001_0001"
down_revision = None

_SHARDS = 16


def upgrade() -> None:
    """Create the tables of the first release."""
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "files",
        sa.Column("name", name, primary_key=True),
        sa.Column("version", sa.Uuid, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("modified", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("downloads_left", sa.Integer),
        sa.Column("data", sa.LargeBinary),
    )
    expires = sa.text("expires IS NOT NULL")
    op.create_index("files_expires", "files", ["expires"], postgresql_where=expires, sqlite_where=expires)
    op.create_table(
        "contents",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger),
    )
    is_due = sa.text("due IS NOT NULL")
    op.create_index("contents_due", "contents", ["due"], postgresql_where=is_due, sqlite_where=is_due)
    op.create_table(
        "chunks",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("content_id", sa.Uuid, sa.ForeignKey("contents.id"), nullable=False),
        sa.Column("start", sa.BigInteger),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_index("chunks_content", "chunks", ["content_id", "start"])
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("hash_state", sa.LargeBinary),
        sa.Column("sha256", sa.LargeBinary(32)),
    )
    op.create_index("uploads_expires", "uploads", ["expires"])
    op.create_table(
        "downloads",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Uuid, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("downloads_version", "downloads", ["version"])
    op.create_index("downloads_expires", "downloads", ["expires"])
    usage = op.create_table(
        "usage",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("files", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(usage, [{"shard": shard, "bytes": 0, "files": 0} for shard in range(_SHARDS)])
    if op.get_context().dialect.name == "postgresql":
        # Small content is mostly compressed already; trying costs more than it saves.
        op.execute("ALTER TABLE files ALTER COLUMN data SET STORAGE EXTERNAL")
