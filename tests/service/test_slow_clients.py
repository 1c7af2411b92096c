"""Clients that send slowly or not at all, against the real server: others are served, and slots come back."""

import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from catalogues import catalogue_in
from running import Server, serving, wait_until
from token_files import tokens_file

from file_transfer import conditions, lifetime

pytestmark = pytest.mark.slow

TOKEN = "0123456789abcdef"
SECONDS = 2
"""How long others may wait for their response."""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits for a second before a body is too slow."""
    with serving(tmp_path_factory.mktemp("service"), PACE_SECONDS="1") as running:
        yield running


@contextmanager
def many(server: Server, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have sent the beginning of a request and send nothing more."""
    with ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(count)]
        for connection in connections:
            connection.sendall(sent)
        yield connections


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """The status and the rest of a response, up to the end of the connection."""
    head, _, rest = connection.makefile("rb").read().partition(b"\r\n")
    return int(head.split()[1]), rest


def head(request_line: str, length: str = "Content-Length: 1000", *more: str) -> bytes:
    return "\r\n".join([f"{request_line} HTTP/1.1", "Host: x", length, *more, "", ""]).encode()


def answered(connections: list[socket.socket]) -> list[socket.socket]:
    """Return the connections on which something has come back."""
    return select.select(connections, [], [], 0)[0]


def test_slow_forms_leave_threads_for_others(tmp_path: Path) -> None:
    form = head("POST /download", "Content-Length: 50", "Content-Type: application/x-www-form-urlencoded") + b"n"
    with serving(tmp_path, WORKERS="1", THREADS="6") as server, many(server, 20, form) as slow:
        wait_until(lambda: server.running_transfers() == 2)

        assert requests.get(f"{server.url}/files", timeout=SECONDS).status_code == 200
        wait_until(lambda: len(answered(slow)) == 18)
        assert {status for status, _ in map(answer, answered(slow))} == {503}


def test_refused_requests_leave_threads_for_others_before_their_bodies_come(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(tokens_file({"x": (TOKEN, ["read"])}))
    with (
        serving(tmp_path, WORKERS="1", THREADS="5", TOKENS_FILE=str(tokens)) as server,
        many(server, 60, head("PUT /files/x")) as refused,
    ):
        early = requests.get(f"{server.url}/files", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=SECONDS)
        lines = {connection.makefile("rb").readline() for connection in refused}
        late = requests.get(f"{server.url}/files", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=SECONDS)

        assert (early.status_code, late.status_code) == (200, 200)
        assert lines == {b"HTTP/1.1 401 Unauthorized\r\n"}


def test_slow_readers_of_long_lists_leave_threads_for_others(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    catalogue = catalogue_in(tmp_path / "data", max_file=1)
    names = [f"{number:0250}" for number in range(1000)]
    with ExitStack() as stack:
        files = {name: stack.enter_context(catalogue.receive()) for name in names}
        catalogue.publish(files, lifetime.FOREVER, conditions.NONE)
    catalogue.database.close()

    with serving(tmp_path, WORKERS="1", THREADS="6") as server, ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(socket.socket())
            # As on a real network, the kernels do not hold the whole list. On loopback, they might.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(b"GET /files HTTP/1.1\r\n\r\n")
        wait_until(lambda: server.running_transfers() == 2)

        assert requests.get(f"{server.url}/files?limit=1", timeout=SECONDS).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        head("PUT /files/x") + b"1",
        head("PUT /files/x", "Transfer-Encoding: chunked") + b"2\r\n1",
        head("POST /upload", "Content-Length: 1000", "Content-Type: multipart/form-data; boundary=b") + b"--b",
        head("POST /download", "Content-Length: 1000", "Content-Type: application/x-www-form-urlencoded") + b"n",
        head("POST /download", "Transfer-Encoding: chunked", "Content-Type: multipart/form-data; boundary=b") + b"4",
    ],
    ids=["put", "put-chunked", "upload", "download", "download-chunked"],
)
def test_a_body_that_comes_too_slowly_ends_and_gives_its_slot_back(impatient: Server, sent: bytes) -> None:
    with many(impatient, 1, sent) as (connection,):
        status, rest = answer(connection)

        assert status == 408
        assert b"error: the body came too slowly: less than 32768 bytes came in 1 seconds\n" in rest
        wait_until(lambda: impatient.running_transfers() == 0)
        assert impatient.files() == {}


def test_a_resumable_upload_that_comes_too_slowly_keeps_what_has_arrived(impatient: Server) -> None:
    tus = {"Tus-Resumable": "1.0.0"}
    created = {"Upload-Length": "1000", "Upload-Metadata": "filename eA=="}
    upload = requests.post(f"{impatient.url}/uploads", headers={**tus, **created}, timeout=10).headers["Location"]
    lines = ("Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Content-Type: application/offset+octet-stream")
    with many(impatient, 1, head(f"PATCH {upload}", "Content-Length: 1000", *lines) + b"some") as (connection,):
        assert answer(connection)[0] == 408

    assert requests.head(f"{impatient.url}{upload}", headers=tus, timeout=10).headers["Upload-Offset"] == "4"


def test_a_replica_whose_threads_are_all_taken_is_healthy_and_ready(tmp_path: Path) -> None:
    with serving(tmp_path, WORKERS="1", THREADS="5") as server, many(server, 5, b"GET /files HTTP/1.1\r\nHost"):
        health = subprocess.run(
            [sys.executable, "-m", "file_transfer.healthcheck"], env=server.environment, check=False
        )

        assert health.returncode == 0
        assert requests.get(f"{server.status_url}/readyz", timeout=SECONDS).text == "ready\n"
        assert requests.get(f"{server.status_url}/elsewhere", timeout=SECONDS).status_code == 404


def test_the_port_of_the_transfers_has_no_metrics(impatient: Server) -> None:
    for path in ("/metrics", "/%6detrics", "//metrics", "/metrics/"):
        assert requests.get(impatient.url + path, timeout=10).status_code == 404


def test_a_connection_is_used_again_after_a_refused_upload_that_has_arrived(impatient: Server) -> None:
    with impatient.connect() as connection:
        connection.sendall(
            head("PUT /files/..", "Content-Length: 3") + b"123" + head("GET /healthz", "Connection: close")
        )

        assert connection.makefile("rb").read().count(b"HTTP/1.1 ") == 2
