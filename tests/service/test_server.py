"""The real server, called by curl and by raw sockets."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from running import SERVICE, Server, curl, serving, slow_form, upload_head, wait_until

MIB = 2**20


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def server(shared: Server) -> Server:
    """A server without files."""
    shared.remove_files()
    return shared


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that has not been used, and that a test may end."""
    with serving(tmp_path) as running:
        yield running


@pytest.mark.parametrize(("name", "size"), [("empty", 0), ("one", 1), ("a b é.bin", 10 * MIB)])
def test_the_two_documented_curl_commands_work(server: Server, tmp_path: Path, name: str, size: int) -> None:
    sent, received = tmp_path / name, tmp_path / "received"
    sent.write_bytes(os.urandom(size))

    upload = curl("-X", "POST", "-F", f"file=@{sent}", f"{server.url}/upload")
    download = curl("-X", "POST", "-F", f"name={name}", f"{server.url}/download", "-o", str(received))

    assert (upload.returncode, download.returncode) == (0, 0)
    assert received.read_bytes() == sent.read_bytes()


def test_curl_saves_a_download_under_its_name(server: Server, tmp_path: Path) -> None:
    curl("-F", "file=@/dev/null;filename=report (1).txt", f"{server.url}/upload")

    saved = curl("-OJ", "--output-dir", str(tmp_path), "-F", "name=report (1).txt", f"{server.url}/download")

    assert saved.returncode == 0
    assert (tmp_path / "report (1).txt").read_bytes() == b""


def test_memory_does_not_grow_with_the_file(own_server: Server, tmp_path: Path) -> None:
    sent = tmp_path / "large"
    with sent.open("wb") as file:
        file.truncate(400 * MIB)

    assert curl("-f", "-F", f"file=@{sent}", f"{own_server.url}/upload").returncode == 0
    assert curl("-f", "-F", "name=large", f"{own_server.url}/download", "-o", "/dev/null").returncode == 0

    assert own_server.memory() < 96 * MIB


@pytest.mark.parametrize("part", ["index", "store"])
@pytest.mark.parametrize("state", ["readable", "writable"])
def test_metrics_say_whether_index_and_store_work(server: Server, part: str, state: str) -> None:
    def reported() -> str:
        return requests.get(f"{server.status_url}/metrics", timeout=10).text

    # The least of all workers' values: one that has just been started has not checked yet.
    wait_until(lambda: f"\nfile_transfer_{part}_{state} 1.0\n" in reported())


def test_a_client_that_sends_its_whole_body_first_is_told_why_it_was_refused(server: Server) -> None:
    with server.connect() as connection:
        head = f"PUT /files/x?unknown=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {12 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + bytes(12 * MIB))
        answer = connection.makefile("rb").readline()

    assert answer.startswith(b"HTTP/1.1 4")


def chunk_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "data" / "chunks").rglob("*") if path.is_file()]


def test_a_client_that_disconnects_leaves_nothing(own_server: Server, tmp_path: Path) -> None:
    with own_server.connect() as connection:
        head = f"PUT /files/half HTTP/1.1\r\nHost: x\r\nContent-Length: {3 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + bytes(2 * MIB))
        wait_until(lambda: chunk_files(tmp_path) != [])

    wait_until(lambda: chunk_files(tmp_path) == [])
    assert own_server.files() == {}


@pytest.mark.parametrize("body", [b"400\r\n" + slow_form("half")[:-9], b"5\r\n--b\r\n\r\nnot a size\r\n"])
def test_broken_chunked_encoding_gets_400(server: Server, body: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(upload_head("Transfer-Encoding: chunked") + body)
        connection.shutdown(1)
        response = connection.makefile("rb").readline()

    assert b" 400 " in response
    assert server.files() == {}
    assert "Traceback" not in server.log.read_text()


def test_a_malformed_request_is_refused_and_is_no_fault(server: Server) -> None:
    requests.put(f"{server.url}/files/x", data=b"content", timeout=10)
    expected = {
        f"GET /files/x HTTP/1.1\r\nRange: bytes={'9' * 5000}-": 416,
        f"GET /files/x HTTP/1.1\r\nIf-Modified-Since: Mon, 01 Jan {'9' * 20} 00:00:00 GMT": 200,
        "PUT /files/y HTTP/1.1\r\nContent-Length: x": 400,
        f"PUT /files/y HTTP/1.1\r\nContent-Length: {'9' * 5000}": 400,
        f"PUT /files/y HTTP/1.1\r\nContent-Length: {'9' * 4000}": 400,
        f"PUT /files/y HTTP/1.1\r\nContent-Length: {'9' * 19}": 413,
        f"PUT /files/y?max-downloads=1{'0' * 4000} HTTP/1.1": 400,
        f"PUT /files/y?max-downloads=1{'0' * 5000} HTTP/1.1": 414,
        "PUT /files/y?expires=9999-12-31T23:59:59-23:59 HTTP/1.1": 400,
        "PUT /files/y?tll=1h HTTP/1.1": 400,
        "GET /files/x%ff HTTP/1.1": 400,
        "GET /files/.. HTTP/1.1": 400,
        "HEAD /uploads/.. HTTP/1.1\r\nTus-Resumable: 1.0.0": 404,
        "HEAD /uploads/%2e%2e HTTP/1.1\r\nTus-Resumable: 1.0.0": 404,
    }

    def status(head: str) -> int:
        with server.connect() as connection:
            connection.sendall(f"{head}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return int(connection.makefile("rb").readline().split()[1])

    assert {head: status(head) for head in expected} == expected
    assert server.files() == {"x": 7}
    assert "Traceback" not in server.log.read_text()


def test_curl_can_send_without_a_length(server: Server) -> None:
    sent = curl("-H", "Transfer-Encoding: chunked", "-F", "file=@/proc/self/cmdline;filename=c", f"{server.url}/upload")

    assert re.fullmatch(rb"c \d+ bytes sha256:[0-9a-f]{64}\n", sent.stdout)


def test_the_server_header_does_not_reveal_gunicorn(server: Server) -> None:
    assert requests.get(f"{server.url}/healthz", timeout=10).headers["Server"] == "file-transfer"


@pytest.mark.slow
def test_one_complete_version_of_many_concurrent_ones_wins(own_server: Server, tmp_path: Path) -> None:
    versions = [bytes([number]) * 300_000 for number in range(64)]

    def send(content: bytes) -> int:
        return requests.post(f"{own_server.url}/upload", files={"file": ("contested", content)}, timeout=60).status_code

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(send, versions)) == {201}

    assert requests.post(f"{own_server.url}/download", data={"name": "contested"}, timeout=10).content in versions
    wait_until(lambda: len(chunk_files(tmp_path)) == 1)


@pytest.mark.slow
def test_a_container_with_all_slots_taken_is_healthy(tmp_path: Path) -> None:
    with serving(tmp_path, WORKERS="1", THREADS="5") as server:
        connection, rest = server.begin_upload("slow")
        refused = requests.post(f"{server.url}/upload", files={"file": ("b", b"")}, timeout=10)
        health = subprocess.run(
            [sys.executable, "-m", "file_transfer.healthcheck"], env=server.environment, check=False
        )
        connection.sendall(rest)
        response = connection.makefile("rb").readline()

    assert (refused.status_code, refused.headers["Retry-After"], health.returncode) == (503, "5", 0)
    assert b" 201 " in response


def test_a_dead_server_is_not_healthy(own_server: Server) -> None:
    own_server.process.terminate()
    own_server.process.wait(timeout=40)

    health = subprocess.run(
        [sys.executable, "-m", "file_transfer.healthcheck"], env=own_server.environment, check=False
    )

    assert health.returncode == 1


def test_the_health_check_is_cheap() -> None:
    """It runs every few seconds, so it must not import what only the server needs."""
    program = "import sys, file_transfer.healthcheck; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SERVICE)}
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"sqlalchemy", "psycopg", "bottle", "gunicorn", "prometheus_client", "obstore"} & set(loaded)


def test_metrics_are_summed_over_workers(server: Server) -> None:
    def counted() -> float:
        text = requests.get(f"{server.status_url}/metrics", timeout=10).text
        return float(text.partition('route="/files",status="200"} ')[2].split()[0])

    before = counted()
    for _ in range(20):
        requests.get(f"{server.url}/files", timeout=10)

    assert counted() == before + 20


def test_no_request_can_forge_the_access_log(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(
            b'GET /forged\\","status":999,"x":"\\ HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\\","b":"\r\n\r\n'
        )
        assert b" 404 " in connection.makefile("rb").readline()

    def lines() -> list[str]:
        return [line for line in server.log.read_text().splitlines() if "forged" in line]

    wait_until(lambda: len(lines()) == 1)
    logged = json.loads(lines()[0])
    assert (logged["status"], logged["request"]) == (404, 'a\\","b":"')
    assert logged.keys() == {"time", "request", "client", "token", "line", "status", "bytes", "seconds"}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("WORKERS", "many", 'FILE_TRANSFER_WORKERS is "many": set it to a whole number, 1 or more\n'),
        ("DATA", "/dev/null/data", 'FILE_TRANSFER_DATA is "/dev/null/data": Not a directory; name a directory that'),
    ],
)
def test_an_invalid_setting_is_reported(tmp_path: Path, name: str, value: str, error: str) -> None:
    settings = {"FILE_TRANSFER_DATA": str(tmp_path), "PYTHONPATH": str(SERVICE), f"FILE_TRANSFER_{name}": value}

    result = subprocess.run(
        [sys.executable, "-m", "file_transfer"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert result.stderr.startswith(f"file_transfer: {error}")
    assert result.stderr.count("\n") == 1


def test_gunicorn_is_known_in_one_folder_and_where_its_options_are_set() -> None:
    package = SERVICE / "file_transfer"
    importing = {
        str(path.relative_to(package).parts[0])
        for path in package.rglob("*.py")
        if re.search(r"^\s*(import|from) gunicorn\b|\"gunicorn\.socket\"", path.read_text(), re.MULTILINE)
    }

    assert importing == {"gunicorn_server", "server.py"}
