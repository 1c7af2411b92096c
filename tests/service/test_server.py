"""The real server on loopback, asked by curl as users do."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

SERVICE = Path(__file__).parent.parent.parent / "services" / "file_transfer"
MIB = 2**20


@dataclass(frozen=True)
class Server:
    url: str
    process: subprocess.Popen[bytes]

    def memory(self) -> int:
        """Peak resident memory of the largest worker, in bytes."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        peaks = [
            int(line.split()[1])
            for pid in listed.stdout.split()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(peaks) * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "FILE_TRANSFER_DATA": str(tmp_path / "data"),
        "FILE_TRANSFER_PORT": str(port),
        "PYTHONPATH": str(SERVICE),
    }
    command = [sys.executable, "-m", "file_transfer"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while True:
        try:
            requests.get(f"{url}/readyz", timeout=5).raise_for_status()
            break
        except requests.ConnectionError:
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
    yield Server(url, process)
    if process.poll() is None:
        process.terminate()
    process.wait(timeout=40)


def request_head(length: int) -> bytes:
    form = "Content-Type: multipart/form-data; boundary=b"
    return f"POST /upload HTTP/1.1\r\nHost: x\r\n{form}\r\nContent-Length: {length}\r\n\r\n".encode()


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=False)


@pytest.mark.parametrize(("name", "size"), [("empty", 0), ("one", 1), ("a b é.bin", 10 * MIB)])
def test_the_two_lines_that_users_know(server: Server, tmp_path: Path, name: str, size: int) -> None:
    sent, received = tmp_path / name, tmp_path / "received"
    sent.write_bytes(os.urandom(size))

    upload = curl("-X", "POST", "-F", f"file=@{sent}", f"{server.url}/upload")
    download = curl("-X", "POST", "-F", f"name={name}", f"{server.url}/download", "-o", str(received))

    assert (upload.returncode, download.returncode) == (0, 0)
    assert received.read_bytes() == sent.read_bytes()


def test_memory_does_not_grow_with_the_file(server: Server, tmp_path: Path) -> None:
    sent = tmp_path / "large"
    with sent.open("wb") as file:
        file.truncate(400 * MIB)

    assert curl("-f", "-F", f"file=@{sent}", f"{server.url}/upload").returncode == 0
    assert curl("-f", "-F", "name=large", f"{server.url}/download", "-o", "/dev/null").returncode == 0

    assert server.memory() < 96 * MIB


def test_a_client_that_goes_away_leaves_nothing(server: Server, tmp_path: Path) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="half"\r\n\r\nhalf'
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
        connection.sendall(request_head(9999) + head)

    deadline = time.monotonic() + 30
    while list((tmp_path / "data" / "incoming").iterdir()):
        assert time.monotonic() < deadline
    assert requests.get(f"{server.url}/files", timeout=10).json() == []


def test_a_transfer_that_runs_is_finished_before_the_server_ends(server: Server) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="slow"\r\n\r\ncontent\r\n--b--\r\n'
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
        connection.sendall(request_head(len(body)) + body[:-10])
        requests.get(f"{server.url}/healthz", timeout=10)  # by now the upload has a thread
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(body[-10:])
        answer = connection.makefile("rb").readline()

    assert b" 201 " in answer
    assert server.process.wait(timeout=40) == 0


def test_metrics_are_summed_over_workers(server: Server) -> None:
    for _ in range(20):
        requests.get(f"{server.url}/files", timeout=10)

    counts = {
        requests.get(f"{server.url}/metrics", timeout=10).text.partition('route="/files",status="200"} ')[2].split()[0]
    }

    assert counts == {"20.0"}


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    settings = {"FILE_TRANSFER_WORKERS": "many", "FILE_TRANSFER_DATA": str(tmp_path), "PYTHONPATH": str(SERVICE)}

    done = subprocess.run(
        [sys.executable, "-m", "file_transfer"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == "file_transfer: FILE_TRANSFER_WORKERS is «many»: set it to a whole number, 1 or more\n"
