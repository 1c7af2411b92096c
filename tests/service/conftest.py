import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import backup_cluster
import fake_server
import object_store
import postgres
import pytest
import quick_repository
import seaweedfs
from client import MAX_TRANSFERS, Client
from fake_server import FakeServer
from object_store import ObjectStore
from postgres import MigratedIndex, Postgres
from running_client import CommandLine
from seaweedfs import Cluster, Requests

from file_transfer import app
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import ChunkStore
from file_transfer.index.database import Database
from file_transfer.index.migrate import migrate
from file_transfer.index.postgres import PostgresDatabase
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.limits import Limits
from file_transfer.stores import seaweedfs as seaweedfs_store
from file_transfer.stores import seaweedfs_copies
from file_transfer.stores.directory import DirectoryStore
from file_transfer.stores.seaweedfs_client import Client as SeaweedFsClient
from file_transfer.stores.seaweedfs_client import Response
from file_transfer_client import upload

MAX_FILE_BYTES = 2**20
SMALL = 1000


@pytest.fixture(scope="session")
def postgres_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with postgres.running(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture(scope="session")
def seaweedfs_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with seaweedfs.running(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture(scope="session")
def s3_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("object-store")) as running:
        yield running


@pytest.fixture(scope="session")
def restic_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository for backups, to copy."""
    folder = tmp_path_factory.mktemp("restic") / "repository"
    quick_repository.create(folder, backup_cluster.PASSWORD)
    return folder


@pytest.fixture(params=["directory", "cluster"])
def backend(request: pytest.FixtureRequest) -> str:
    """Where files are stored: on one machine or in a cluster, so that a test checks both."""
    return str(request.param)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_cluster: Postgres) -> Iterator[MigratedIndex]:
    with closing(MigratedIndex(postgres_cluster)) as index:
        yield index


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated index, to copy."""
    folder = tmp_path_factory.mktemp("migrated")
    with closing(SqliteDatabase(folder / "index.sqlite")) as made:
        migrate(made)
    return folder


@pytest.fixture
def database(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated index without files."""
    if backend == "cluster":
        yield request.getfixturevalue("migrated_postgres").without_files()
    else:
        shutil.copytree(request.getfixturevalue("migrated_sqlite"), tmp_path, dirs_exist_ok=True)
        with closing(SqliteDatabase(tmp_path / "index.sqlite")) as opened:
            yield opened


@pytest.fixture
def empty(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Another database, in which nothing was done yet."""
    opened: Database
    if backend == "cluster":
        opened = PostgresDatabase(request.getfixturevalue("postgres_cluster").settings())
    else:
        opened = SqliteDatabase(tmp_path / "empty.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def store(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> ChunkStore:
    if backend == "cluster":
        found: ChunkStore = request.getfixturevalue("seaweedfs_cluster").store()
        return found
    return DirectoryStore(tmp_path / "chunks")


@pytest.fixture
def catalogue(database: Database, store: ChunkStore) -> Catalogue:
    return Catalogue(database, store, Limits(max_file=MAX_FILE_BYTES))


@pytest.fixture
def client(catalogue: Catalogue) -> Client:
    return Client(app.create(catalogue, max_transfers=MAX_TRANSFERS))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server.serving() as served:
        yield served


@pytest.fixture
def run(
    server: FakeServer, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The client's command line in an empty directory; only files up to SMALL bytes are sent in one request."""
    for variable in ("FILE_TRANSFER_URL", "FILE_TRANSFER_TOKEN", "REQUESTS_CA_BUNDLE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(upload, "SMALL_BYTES", SMALL)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return CommandLine(capsysbinary, server.url)


@pytest.fixture(scope="session")
def breakable_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with seaweedfs.running(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture
def cluster(breakable_cluster: Cluster) -> Cluster:
    """A cluster that works, and that the test may break. It has the volumes of earlier tests."""
    breakable_cluster.mend()
    return breakable_cluster


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits for servers that do not answer, so that the tests take seconds."""
    monkeypatch.setattr(seaweedfs_store, "_PATIENCE_SECONDS", 1)
    monkeypatch.setattr(seaweedfs_store, "_PATIENCE_IN_OUTAGE_SECONDS", 0.5)
    monkeypatch.setattr(seaweedfs_copies, "_PUT_SECONDS", 1)
    monkeypatch.setattr(seaweedfs_copies, "_GET_SECONDS", 1)
    monkeypatch.setattr(seaweedfs_copies, "_DELETE_SECONDS", 1)


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """The requests that all SeaweedFS stores send from now on."""
    found: Requests = []
    request = SeaweedFsClient.request

    def recorded(self: SeaweedFsClient, method: str, address: str, path: str, **options: Any) -> Response:
        found.append((method, address, path))
        return request(self, method, address, path, **options)

    monkeypatch.setattr(SeaweedFsClient, "request", recorded)
    return found
