"""What the real HAProxy lets through to the Engine, in front of an Engine that only answers and remembers."""

import http.client
import socket
import socketserver
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from components import container_api, docker_api, engine_filter

CONTAINER = "3f" * 32

FOR_BOTH = [
    "GET /swarm",
    "GET /v1.45/swarm",
    "GET /swarm/unlockkey",
    "GET /secrets",
    "GET /configs",
    "GET /events",
    "GET /system/df",
    "GET /images/json",
    "GET /containers/json",
    "GET /containers/json?all=1",
    f"GET /containers/{CONTAINER}/archive?path=/run/secrets",
    f"GET /containers/{CONTAINER}/export",
    f"GET /containers/{CONTAINER}/logs?stdout=1",
    f"GET /containers/{CONTAINER}/top",
    f"GET /containers/{CONTAINER}/attach/ws",
    f"POST /containers/{CONTAINER}/exec",
    f"POST /containers/{CONTAINER}/json",
    f"DELETE /containers/{CONTAINER}",
    "POST /containers/create",
    "POST /session",
    "POST /_ping",
    "GET /",
    "GET /_ping/../swarm",
    "GET /_ping/%2e%2e/swarm",
    "GET /_ping%2f..%2fswarm",
    "GET //swarm",
    "GET /%73warm",
    "GET /v1.45/v1.45/swarm",
    "GET /v1.45/_ping/swarm",
    "GET http://docker/swarm",
]
"""What no service may ask the Engine."""


class Connection(http.client.HTTPConnection):
    """A client's connection to a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


class Filter:
    """A running HAProxy between its socket and an Engine that remembers the requests it gets."""

    def __init__(self, path: Path, engine: list[SimpleNamespace]) -> None:
        self.path = path
        self.engine = engine

    def answer(self, request: str, **headers: str) -> int:
        method, target = request.split(" ", 1)
        connection = Connection(self.path)
        connection.request(method, target, headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status


class Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def running(haproxy: str, config: str, folder: Path, bound: str) -> Iterator[Filter]:
    """Run HAProxy with this configuration, its sockets in a folder; `bound` is what it binds there."""
    seen: list[SimpleNamespace] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            seen.append(SimpleNamespace(line=f"{self.command} {self.path}", headers=self.headers))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815 - the server's names

        def address_string(self) -> str:
            return "client"

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    engine_path, filter_path = folder / "engine.sock", folder / "filter.sock"
    text = config.replace(bound, f"bind {filter_path}").replace(engine_filter.SOCKET, str(engine_path))
    assert str(filter_path) in text
    assert str(engine_path) in text
    # The health check's port; a test must not need a free one.
    (folder / "haproxy.cfg").write_text(text.replace("bind 127.0.0.1:2375", f"bind {folder / 'health.sock'}"))
    engine = Engine(str(engine_path), Handler)
    Thread(target=engine.serve_forever, daemon=True).start()
    # In the foreground, it says that it is ready by a line on standard error.
    process = subprocess.Popen(
        [haproxy, "-W", "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr
        said = ""
        while "Loading success" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield Filter(filter_path, seen)
    finally:
        process.terminate()
        process.communicate(timeout=10)
        engine.shutdown()
        engine.server_close()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path, since a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="filter-") as path:
        yield Path(path)


@pytest.fixture(scope="module")
def for_cadvisor(folder: Path, program: Callable[[str], str]) -> Iterator[Filter]:
    (folder / "c").mkdir()
    bound = f"bind {container_api.SOCKET}"
    with running(program("haproxy"), container_api.haproxy_config(), folder / "c", bound) as filtered:
        yield filtered


@pytest.fixture(scope="module")
def for_prometheus(folder: Path, program: Callable[[str], str]) -> Iterator[Filter]:
    (folder / "p").mkdir()
    bound = f"bind :{docker_api.PORT}"
    with running(program("haproxy"), docker_api.haproxy_config(), folder / "p", bound) as filtered:
        yield filtered


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /_ping",
        "HEAD /_ping",
        "GET /info",
        "GET /v1.54/info",
        "GET /v1.54/version",
        f"GET /v1.54/containers/{CONTAINER}/json",
        f"GET http://docker/v1.54/containers/{CONTAINER}/json",
    ],
)
def test_cadvisor_may_ask_what_it_needs(for_cadvisor: Filter, request_line: str) -> None:
    for_cadvisor.engine.clear()

    assert for_cadvisor.answer(request_line) == 200
    assert [request.line for request in for_cadvisor.engine] == [request_line]


@pytest.mark.parametrize(
    "request_line",
    [
        *FOR_BOTH,
        "GET /nodes",
        "GET /services",
        "GET /tasks",
        "GET /networks",
        "GET /containers/docker-api.1.x/json",
        f"GET /containers/{CONTAINER[:12]}/json",
        f"GET /containers/{CONTAINER}/json?size=1",
        f"GET /containers/{CONTAINER}/../json",
        "GET /info?x",
    ],
)
def test_cadvisor_may_ask_nothing_else(for_cadvisor: Filter, request_line: str) -> None:
    for_cadvisor.engine.clear()

    assert for_cadvisor.answer(request_line) == 403
    assert for_cadvisor.engine == []


@pytest.mark.parametrize(
    "request_line",
    ["GET /_ping", "GET /v1.24/nodes", "GET /tasks?filters=%7B%7D", "GET /v1.24/services?", "GET /networks"],
)
def test_prometheus_may_read_the_lists(for_prometheus: Filter, request_line: str) -> None:
    for_prometheus.engine.clear()

    assert for_prometheus.answer(request_line) == 200
    assert [request.line for request in for_prometheus.engine] == [request_line]


@pytest.mark.parametrize(
    "request_line",
    [
        *FOR_BOTH,
        "GET /info",
        f"GET /containers/{CONTAINER}/json",
        "GET /services/docker-api",
        "POST /services/create?x",
        "GET /swarm?/nodes",
        "GET /nodes/../swarm?",
    ],
)
def test_prometheus_may_read_nothing_else(for_prometheus: Filter, request_line: str) -> None:
    for_prometheus.engine.clear()

    assert for_prometheus.answer(request_line) == 403
    assert for_prometheus.engine == []


def test_a_connection_cannot_be_upgraded_to_one_that_is_not_filtered(for_cadvisor: Filter) -> None:
    for_cadvisor.engine.clear()

    for_cadvisor.answer("GET /info", Connection="Upgrade", Upgrade="h2c")

    assert for_cadvisor.engine[0].headers["Upgrade"] is None


def test_each_request_of_a_connection_is_filtered(for_cadvisor: Filter) -> None:
    connection = Connection(for_cadvisor.path)
    statuses = []
    for target in ("/info", "/swarm", "/info"):
        connection.request("GET", target)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
    connection.close()

    assert statuses == [200, 403, 200]


def test_only_the_sockets_owner_may_connect(for_cadvisor: Filter) -> None:
    assert for_cadvisor.path.stat().st_mode & 0o777 == 0o600


def test_a_socket_that_a_killed_task_left_is_replaced(folder: Path, program: Callable[[str], str]) -> None:
    own = folder / "again"
    own.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(own / "filter.sock"))
    bound = f"bind {container_api.SOCKET}"

    with running(program("haproxy"), container_api.haproxy_config(), own, bound) as filtered:
        assert filtered.answer("GET /info") == 200
