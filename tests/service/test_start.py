"""The start of a replica: the migration of its index, and what its workers import."""

import sqlite3
from contextlib import closing
from pathlib import Path

from running import free_ports, run_python

UNUSED = {"alembic", "obstore", "psycopg", "urllib3"}


def test_a_later_release_s_index_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as index, index:
        index.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        index.execute("INSERT INTO alembic_version VALUES ('9999_9998')")
    port, status_port = free_ports(2)

    done = run_python("-m", "file_transfer", DATA=str(tmp_path), PORT=str(port), STATUS_PORT=str(status_port))

    assert done.returncode == 1
    assert done.stderr == (
        "file_transfer: the index has the schema 9999_9998, for which this release is too old: run a later one\n"
    )


def test_libraries_of_a_storage_that_is_not_used_take_no_memory(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from file_transfer import backends, server, settings

configured = settings.load()
backends.migrate(configured)
backends.database(configured), backends.store(configured)
print(*{UNUSED} & set(sys.modules))
"""

    done = run_python("-c", script, DATA=str(tmp_path))

    assert (done.stdout, done.stderr) == ("\n", "")
