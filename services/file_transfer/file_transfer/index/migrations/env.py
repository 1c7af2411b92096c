"""Run by Alembic: migrates the database of the connection that `migrate` passes."""

from alembic import context

from file_transfer.index.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
