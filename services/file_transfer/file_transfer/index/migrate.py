"""Migration of the index to the schema that this release needs."""

from collections.abc import Sequence
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from file_transfer.chunks import StorageUnavailableError
from file_transfer.index.database import Database, SchemaTooNewError

_LOCK = 7_305_146_283
"""The key of the lock that a migration holds; any number that nobody else uses in this database."""


def migrate(database: Database) -> None:
    """Migrate the index, unless it has the right schema. Of several replicas that start at once, one does it.

    Raises:
        SchemaTooNewError: a later release has migrated it.
        StorageUnavailableError: the index cannot be changed at the moment, and does not have the right schema.
    """
    try:
        database.write(_upgrade)
    except StorageUnavailableError:
        # Without a primary a replica can still serve downloads.
        if database.read(_revision) != _newest():
            raise


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    found = _revision(connection)
    known = _known()
    if found is not None and found not in known:
        raise SchemaTooNewError(f"the index has the schema {found}, which this release does not know: run a later one")
    if found != _newest():
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known() -> Sequence[str]:
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("file_transfer.index").joinpath("migrations")))
    config.set_main_option("path_separator", "os")
    return config
