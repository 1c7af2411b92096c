"""The real server on each kind of storage, called by our own client, by a tus client from PyPI, and by curl."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from postgres import Postgres
from running import Server, curl, serving, wait_until
from running_client import CommandLine
from seaweedfs import Cluster
from tusclient.client import TusClient

if TYPE_CHECKING:
    from object_store import ObjectStore

MIB = 2**20


@pytest.fixture(scope="module", params=["directory", "cluster", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, **variables(request, request.param, folder)) as running:
        yield running


@pytest.fixture
def real(shared: Server) -> Server:
    """A server without files."""
    shared.remove_files()
    return shared


def variables(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> dict[str, str]:
    if kind == "directory":
        return {}
    index: Postgres = request.getfixturevalue("postgres_cluster")
    if kind == "s3":
        store: ObjectStore = request.getfixturevalue("s3_gateway")
        return {"STORAGE": "s3", **index.variables(tmp_path), **store.variables(tmp_path)}
    return cluster_variables(index, request.getfixturevalue("seaweedfs_cluster"), tmp_path)


def cluster_variables(index: Postgres, chunks: Cluster, tmp_path: Path) -> dict[str, str]:
    return {
        "STORAGE": "cluster",
        "SEAWEEDFS_MASTERS": chunks.master,
        "SEAWEEDFS_VOLUME_SERVERS": chunks.address("node0"),
        **chunks.variables(tmp_path),
        **index.variables(tmp_path),
    }


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    path = tmp_path / "a b é.bin"
    path.write_bytes(os.urandom(21 * MIB + 7))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_curl_uploads_and_resumes_a_download(real: Server, sent: Path, tmp_path: Path) -> None:
    url = f"{real.url}/files/a%20b%20%C3%A9.bin"
    received = tmp_path / "received"

    put = curl("-T", str(sent), url)
    assert put.stdout.decode().endswith(f"bytes sha256:{sha256(sent)}\n")
    received.write_bytes(sent.read_bytes()[: 5 * MIB])
    assert curl("-f", "-C", "-", "-o", str(received), url).returncode == 0

    assert sha256(received) == sha256(sent)
    assert curl("-f", "-X", "DELETE", url).returncode == 0
    assert curl("-f", url).returncode == 22


def test_a_third_party_tus_client_resumes_an_upload(real: Server, sent: Path, tmp_path: Path) -> None:
    third_party = TusClient(f"{real.url}/uploads")
    first = third_party.uploader(str(sent), chunk_size=5 * MIB, metadata={"filename": "resumed"}, upload_checksum=True)
    first.upload_chunk()
    assert first.url

    second = third_party.uploader(str(sent), chunk_size=5 * MIB, url=first.url)
    assert second.offset == 5 * MIB
    second.upload()

    received = tmp_path / "received"
    assert curl("-f", "-o", str(received), f"{real.url}/files/resumed").returncode == 0
    assert sha256(received) == sha256(sent)


def test_our_client_puts_lists_gets_and_removes(real: Server, sent: Path, run: CommandLine) -> None:
    run.servers = real.url

    assert run("put", str(sent), "--ttl", "1h")[0] == 0
    assert sent.name in run("ls")[1]
    status, _, errors = run("get", sent.name)
    assert (status, sha256(Path(sent.name))) == (0, sha256(sent)), errors
    assert run("rm", sent.name)[0] == 0
    assert run("ls")[1].count("\n") <= 1


def test_another_worker_resumes_an_upload_whose_worker_was_killed(real: Server, sent: Path) -> None:
    content = sent.read_bytes()
    created = requests.post(
        f"{real.url}/uploads",
        headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(len(content)), "Upload-Metadata": "filename a2lsbGVk"},
        timeout=10,
    )
    path = created.headers["Location"]

    def patch(offset: int, part: bytes) -> int:
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)}
        headers["Content-Type"] = "application/offset+octet-stream"
        return requests.patch(real.url + path, data=part, headers=headers, timeout=30).status_code

    assert patch(0, content[: 9 * MIB]) == 204
    before = real.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(real.workers()) == len(before) and not set(real.workers()) & set(before))

    assert patch(9 * MIB, content[9 * MIB :]) == 204
    assert hashlib.sha256(requests.get(f"{real.url}/files/killed", timeout=30).content).hexdigest() == sha256(sent)


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["cluster", "s3"], indirect=True)
def test_memory_does_not_grow_with_transfers_to_other_servers(real: Server, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(300 * MIB)

    assert curl("-f", "-T", str(large), f"{real.url}/files/large").returncode == 0
    assert curl("-f", "-o", "/dev/null", f"{real.url}/files/large").returncode == 0

    assert real.memory() < 128 * MIB
