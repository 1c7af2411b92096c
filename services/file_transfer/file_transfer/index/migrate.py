"""Migration of the index to the schema that this release needs.

Replicas of two releases work on one index while an update runs, and again if it is rolled back. So a migration may only
add what the release before does not notice; what no release uses any more is removed by a later one. A revision's id
says how far back this goes: with schema `0005_0003`, releases work whose own schema is 3, 4 or 5.
"""

import re
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from file_transfer.chunks import StorageUnavailableError
from file_transfer.index.database import Database, UnsuitableSchemaError

_LOCK = 7_305_146_283
"""The key of the lock that a migration holds; any number that nobody else uses in this database."""

_REVISION = re.compile(r"(?P<number>\d{4})_(?P<oldest>\d{4})")
_LATER = 10_000


def migrate(database: Database) -> None:
    """Migrate the index, unless it has a schema that suits this release. Of several replicas at once, one does it.

    Raises:
        UnsuitableSchemaError: its schema is too new for this release, or too old.
        StorageUnavailableError: the index cannot be changed at the moment, and needs a migration.
    """
    try:
        database.write(_upgrade)
    except StorageUnavailableError:
        # Without a primary a replica can still serve downloads.
        if database.read(_needs_migration):
            raise


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    if _needs_migration(connection):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _needs_migration(connection: Connection) -> bool:
    """Return whether the index lacks a migration of this release.

    Raises:
        UnsuitableSchemaError: this release cannot use or migrate the index.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    known = _known()
    if found is None:
        return True
    newest, _ = _parsed(known[-1])
    number, oldest = _parsed(found)
    if found not in known:
        if oldest > newest:
            raise UnsuitableSchemaError(
                f"the index has the schema {found}, for which this release is too old: run a later one"
            )
        return False
    missing = known[known.index(found) + 1 :]
    needed = max((_parsed(revision)[1] for revision in missing), default=0)
    if number < needed:
        raise UnsuitableSchemaError(
            f"the index has the schema {found}, which replicas may be using that cannot go on after the migration to "
            f"{known[-1]}: first run a release whose schema is {needed:04}"
        )
    return bool(missing)


def _known() -> list[str]:
    """Return the revisions of this release, the oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def _parsed(revision: str) -> tuple[int, int]:
    """Return the revision's number and the oldest schema whose release can use it. Another form is later than all."""
    match = _REVISION.fullmatch(revision)
    return (int(match["number"]), int(match["oldest"])) if match else (_LATER, _LATER)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("file_transfer.index").joinpath("migrations")))
    config.set_main_option("path_separator", "os")
    return config
