from pathlib import Path

import pytest
from client import MAX_TRANSFERS, Client

from file_transfer import app
from file_transfer.directory import DirectoryStorage

MAX_FILE_BYTES = 2**20


@pytest.fixture
def storage(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage(tmp_path / "data")


@pytest.fixture
def client(storage: DirectoryStorage) -> Client:
    return Client(app.create(storage, max_file_bytes=MAX_FILE_BYTES, max_transfers=MAX_TRANSFERS))
