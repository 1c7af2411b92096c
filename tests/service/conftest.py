from collections.abc import Iterator
from pathlib import Path

import fake_server
import pytest
from client import MAX_TRANSFERS, Client
from fake_server import FakeServer
from running_client import CommandLine

from file_transfer import app
from file_transfer.client import upload
from file_transfer.directory import DirectoryStorage

MAX_FILE_BYTES = 2**20
SMALL = 1000


@pytest.fixture
def storage(tmp_path: Path) -> DirectoryStorage:
    return DirectoryStorage(tmp_path / "data")


@pytest.fixture
def client(storage: DirectoryStorage) -> Client:
    return Client(app.create(storage, max_file_bytes=MAX_FILE_BYTES, max_transfers=MAX_TRANSFERS))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server.serving() as served:
        yield served


@pytest.fixture
def run(
    server: FakeServer, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The client's command line, with a small limit for small files, in an empty directory."""
    for variable in ("FILE_TRANSFER_URL", "FILE_TRANSFER_TOKEN", "REQUESTS_CA_BUNDLE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(upload, "SMALL_BYTES", SMALL)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return CommandLine(capsysbinary, server.url)
