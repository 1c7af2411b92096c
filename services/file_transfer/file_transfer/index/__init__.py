"""The index of files, uploads and chunks: SQLite on one machine, PostgreSQL on a cluster."""
