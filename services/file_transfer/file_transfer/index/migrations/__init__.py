"""Alembic's migrations of the index, oldest first. Each leaves a schema that the previous release can still use."""
