"""The archive of all files: it is complete, or says what is missing, and tar can read it."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backup_cluster import LARGE, content_of, described, put, remove
from catalogues import catalogue_in

from backup import archive, restore
from backup.archive import ArchiveError, Contents, Reader
from backup.restore import RestoreError
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import MissingChunkError, StorageUnavailableError
from file_transfer.lifetime import Lifetime
from file_transfer.ranges import Range
from file_transfer.stored_file import now

HOUR = timedelta(hours=1)
LONG = "l" * 251 + ".txt"


@pytest.fixture
def catalogue(catalogue: Catalogue) -> Catalogue:
    """Without the limit that the tests of the routes need, on one machine and in a cluster."""
    return Catalogue(catalogue.database, catalogue.store, restore_limits())


def restore_limits() -> Any:
    from file_transfer.limits import Limits

    return Limits(max_file=2**40)


@pytest.fixture
def one_machine(tmp_path: Path) -> Catalogue:
    return catalogue_in(tmp_path / "source", max_file=2**40)
