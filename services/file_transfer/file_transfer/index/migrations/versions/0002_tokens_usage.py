"""Create the tables that count what is stored with each token.

A replica of the release before does not know them. What it stores counts for no token, and what it removes is still
counted for its token.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_0001"
down_revision = "0001_0001"


def upgrade() -> None:
    """Create tables of the owners of stored content and of the tokens' usage."""
    op.create_table(
        "owners",
        sa.Column("version", sa.Uuid, primary_key=True),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "token_usage",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
