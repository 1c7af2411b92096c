"""A release that cannot run: Swarm goes back to the one before, nobody notices, and the next good `up` goes through."""

import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import recover, urls
from table import Table

PACKAGE = "services/file_transfer/file_transfer"
MIGRATION = f"{PACKAGE}/index/migrations/versions/0003_more.py"

ADDS = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003_0001", "0002_0001"


def upgrade() -> None:
    op.add_column("files", sa.Column("colour", sa.Text))
"""
FAILS = f"{ADDS}    raise ValueError('the migration cannot be done')\n"

MIGRATES_AND_FAILS = """
_migrate_only = migrate


def migrate(settings: Settings) -> None:
    _migrate_only(settings)
    raise SystemExit("migrated, and no can do")
"""


def fails(cluster: Cluster, said: str) -> None:
    failed = cluster.pulumi("up", "--yes", "--skip-preview", check=False)

    assert failed.returncode != 0
    assert "service files does not run as configured" in failed.stdout
    assert said in failed.stdout


def schema(cluster: Cluster) -> str:
    """Return the revision of the index's schema, as the standby or the primary on the first host has it."""
    (container,) = cluster.containers("postgres-master")
    query = "psql -h /tmp -d file_transfer -Atc 'SELECT version_num FROM alembic_version'"
    return cluster.on("master", f"docker exec {container} {query}").strip()


def a_program_that_does_not_start(cluster: Cluster) -> None:
    with cluster.edited(f"{PACKAGE}/__main__.py", "\nraise SystemExit('no can do')\n", front=True):
        fails(cluster, "no can do")


def a_migration_that_fails(cluster: Cluster) -> None:
    with cluster.added(MIGRATION, FAILS):
        fails(cluster, "the migration cannot be done")
    assert schema(cluster) == "0002_0001"


def a_program_that_does_not_start_after_its_migration(cluster: Cluster) -> None:
    with cluster.added(MIGRATION, ADDS), cluster.edited(f"{PACKAGE}/backends.py", MIGRATES_AND_FAILS):
        fails(cluster, "migrated, and no can do")
    assert schema(cluster) == "0003_0001", "the release before goes on with the schema of the later one"


@pytest.mark.parametrize(
    "mistake",
    [
        a_program_that_does_not_start,
        a_migration_that_fails,
        # The last one, since its migration stays.
        a_program_that_does_not_start_after_its_migration,
    ],
)
def test_users_do_not_notice(cluster: Cluster, load: Load, table: Table, mistake: Callable[[Cluster], None]) -> None:
    with load.running(*urls(cluster)):
        began = time.monotonic()
        mistake(cluster)
        recover(cluster, load)
    lost = load.lost(*urls(cluster))
    table.add(mistake.__name__.replace("_", " "), load, began, lost=lost)
    assert lost == []
    assert [transfer for transfer in load.transfers if not transfer.ok] == [], load.described()

    cluster.on("master", "docker service update --force --detach=false --quiet files", timeout=300)
    cluster.up("--refresh")
    cluster.pulumi("preview", "--expect-no-changes")
