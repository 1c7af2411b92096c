from collections.abc import Iterator
from pathlib import Path

import object_store
import pytest
from client import MAX_TRANSFERS, Client
from object_store import ObjectStore

from file_transfer import app
from file_transfer.catalogue import Catalogue
from file_transfer.directory import DirectoryStorage
from file_transfer.limits import Limits
from file_transfer.storage import Storage

MAX_FILE_BYTES = 2**20


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("object-store")) as running:
        yield running


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage(tmp_path / "data")


@pytest.fixture(params=["directory", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Either kind: what a test says of it holds for both."""
    if request.param == "directory":
        found: Storage = request.getfixturevalue("directory")
        return found
    return request.getfixturevalue("store").storage()


@pytest.fixture
def catalogue(storage: Storage) -> Catalogue:
    return Catalogue(storage, Limits(storage=storage, max_file=MAX_FILE_BYTES))


@pytest.fixture
def client(catalogue: Catalogue) -> Client:
    return Client(app.create(catalogue, max_transfers=MAX_TRANSFERS))
