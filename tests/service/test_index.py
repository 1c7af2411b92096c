"""The index: one schema and one set of statements, with the same behaviour in SQLite and PostgreSQL."""
