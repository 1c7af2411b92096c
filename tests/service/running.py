"""The real server on loopback, and requests that are sent piece by piece."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests

SERVICE = Path(__file__).parents[2] / "services" / "file_transfer"
CLIENT = Path(__file__).parents[2] / "clients" / "file_transfer"
FORM_TYPE = "Content-Type: multipart/form-data; boundary=b"


@dataclass(frozen=True)
class Server:
    port: int
    status_port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def status_url(self) -> str:
        """Where health, readiness and metrics are, which the edge does not route."""
        return f"http://127.0.0.1:{self.status_port}"

    def workers(self) -> list[int]:
        parent = str(self.process.pid)
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", parent], capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def memory(self) -> int:
        """Peak resident memory of the largest worker, in bytes."""
        peaks = [
            int(line.split()[1])
            for pid in self.workers()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(peaks) * 1024

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def begin_upload(self, name: str) -> tuple[socket.socket, bytes]:
        """Begin an upload, and return its connection and the bytes that a thread of the server still waits for."""
        body = slow_form(name)
        before = self.running_transfers()
        connection = self.connect()
        connection.sendall(upload_head(f"Content-Length: {len(body)}") + body[:-10])
        wait_until(lambda: self.running_transfers() == before + 1)
        return connection, body[-10:]

    def running_transfers(self) -> int:
        text = requests.get(f"{self.status_url}/metrics", timeout=10).text
        return int(float(text.partition("\nfile_transfer_transfers ")[2].split()[0]))

    def files(self) -> dict[str, int]:
        return {file["name"]: file["size"] for file in requests.get(f"{self.url}/files", timeout=10).json()}

    def remove_files(self, token: str = "") -> None:
        """Remove all files, for a test that shares the server with others."""
        with requests.Session() as session:
            session.headers.update({"Authorization": f"Bearer {token}"} if token else {})
            while listed := session.get(f"{self.url}/files", timeout=10).json():
                for file in listed:
                    path = f"/files/{quote(file['name'], safe='')}"
                    session.delete(self.url + path, timeout=10).raise_for_status()


def own_share(ports: range) -> range:
    """Return the ports that the tests of this process may take, so that those of two processes never take the same."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return ports[number :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens, and which the kernel gives to no connection that the tests make."""
    found: list[int] = []
    ports = own_share(range(10_000, 32_000))
    for port in random.sample(ports, len(ports)):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"fewer than {count} ports are free")


@contextmanager
def serving(tmp_path: Path, **variables: str) -> Iterator[Server]:
    port, status_port = free_ports(2)
    settings = {
        "DATA": str(tmp_path / "data"),
        "PORT": str(port),
        "STATUS_PORT": str(status_port),
        "DRAIN_SECONDS": "0",
        **variables,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": str(SERVICE),
        **{f"FILE_TRANSFER_{name}": value for name, value in settings.items()},
    }
    log_file = tmp_path / "log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "file_transfer"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    server = Server(port, status_port, process, environment, log_file)

    def is_ready() -> bool:
        assert process.poll() is None, log_file.read_text()
        try:
            return requests.get(f"{server.url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(is_ready)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=40)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def upload_head(length: str) -> bytes:
    return f"POST /upload HTTP/1.1\r\nHost: x\r\n{FORM_TYPE}\r\n{length}\r\n\r\n".encode()


def slow_form(name: str) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return f"{head}content\r\n--b--\r\n".encode()


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, check=False)


def run_python(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the service's modules and these of its variables, without their prefix."""
    environment = {"PYTHONPATH": str(SERVICE), **{f"FILE_TRANSFER_{name}": text for name, text in variables.items()}}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
