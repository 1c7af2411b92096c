"""Replicas of two releases work on one index: during an update, and after one that was rolled back."""

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from file_transfer.catalogue import Catalogue
from file_transfer.chunks import ChunkStore
from file_transfer.index import migrate as migrate_module
from file_transfer.index.database import Database, UnsuitableSchemaError
from file_transfer.index.migrate import migrate
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits

MIGRATIONS = Path(str(resources.files("file_transfer.index"))) / "migrations"
ADDS = 'op.add_column("files", sa.Column("colour", sa.Text)); op.create_table("more", sa.Column("id", sa.Integer))'

CURRENT = migrate_module._known()[-1]
"""The schema of this release."""

Release = Callable[..., None]


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Become the release that has these migrations after those of this one: what each does, by its revision."""

    def become(**upgrades: str) -> None:
        location = tmp_path / f"migrations-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(MIGRATIONS, location)
        before = CURRENT
        for name, upgrade in upgrades.items():
            revision = name.strip("_")
            (location / "versions" / f"{revision[:4]}_more.py").write_text(
                "import sqlalchemy as sa\nfrom alembic import op\n"
                f"revision = {revision!r}\ndown_revision = {before!r}\n"
                f"def upgrade():\n    {upgrade}\n"
            )
            before = revision
        config = Config()
        config.set_main_option("script_location", str(location))
        config.set_main_option("path_separator", "os")
        monkeypatch.setattr(migrate_module, "_config", lambda: config)

    return become


@pytest.fixture
def index(empty: Database) -> Database:
    """An index of its own with the schema of this release."""
    migrate(empty)
    return empty


def revision(database: Database) -> str | None:
    return database.read(lambda connection: MigrationContext.configure(connection).get_current_revision())


def test_a_release_goes_on_with_an_index_to_which_a_later_one_has_added(
    index: Database, store: ChunkStore, release: Release
) -> None:
    release(_0003_0001=ADDS)
    migrate(index)
    assert revision(index) == "0003_0001"

    release()
    migrate(index)

    assert revision(index) == "0003_0001"
    catalogue = Catalogue(index, store, Limits(max_file=100))
    with catalogue.receive(7) as incoming:
        incoming.write(b"content")
        catalogue.publish({"name": incoming}, Lifetime())
    assert [file.name for file in catalogue.page("", "", 9)] == ["name"]


def test_a_release_refuses_an_index_from_which_a_later_one_has_removed_what_it_needs(
    index: Database, release: Release
) -> None:
    release(_0003_0001=ADDS)
    migrate(index)
    release(_0003_0001=ADDS, _0004_0003='op.drop_column("files", "sha256")')
    migrate(index)
    release()

    with pytest.raises(UnsuitableSchemaError, match="the schema 0004_0003, for which this release is too old"):
        migrate(index)


def test_a_migration_that_running_replicas_would_not_survive_is_refused(index: Database, release: Release) -> None:
    release(_0003_0001=ADDS, _0004_0003='op.drop_column("files", "sha256")')

    with pytest.raises(UnsuitableSchemaError, match=rf"the schema {CURRENT}.*first run a release whose schema is 0003"):
        migrate(index)

    assert revision(index) == CURRENT


def test_a_migration_that_fails_changes_nothing(index: Database, release: Release) -> None:
    release(_0003_0001=ADDS, _0004_0001='raise ValueError("no can do")')

    with pytest.raises(ValueError, match="no can do"):
        migrate(index)

    assert revision(index) == CURRENT
    with pytest.raises(Exception, match="colour"):
        index.read(lambda connection: connection.execute(text("SELECT colour FROM files")))


def test_the_index_of_an_unknown_kind_of_release_is_refused(index: Database) -> None:
    index.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = 'other'")))

    with pytest.raises(UnsuitableSchemaError, match="the schema other, for which this release is too old"):
        migrate(index)


def test_every_revision_says_how_far_back_releases_can_use_it() -> None:
    revisions = migrate_module._known()
    files = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py"))

    assert [revision[:4] for revision in revisions] == files
    assert files == [f"{number:04}" for number in range(1, len(files) + 1)]
    for found in revisions:
        number, oldest = found.split("_")
        assert "0001" <= oldest <= number
