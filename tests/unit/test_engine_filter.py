"""What the real HAProxy lets through to the Engine, in front of an Engine that only answers and remembers."""

import http.client
import socket
import socketserver
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from components import container_api, docker_api, engine_filter
from components.mounts import CONTAINERD_SOCKET

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
    """A running HAProxy between its sockets in a folder and an Engine that remembers the requests it gets."""

    def __init__(self, folder: Path, engine: list[SimpleNamespace]) -> None:
        self.folder = folder
        self.path = folder / "filter.sock"
        self.engine = engine

    def answer(self, request: str, **headers: str) -> int:
        return self._answer(self.path, request, **headers)

    def health(self) -> int:
        return self._answer(self.folder / "health.sock", "GET /_ping")

    @staticmethod
    def _answer(path: Path, request: str, **headers: str) -> int:
        method, target = request.split(" ", 1)
        connection = Connection(path)
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
    text = text.replace("bind 127.0.0.1:2375", f"bind {folder / 'health.sock'}")
    text = text.replace(container_api.FILTERED_CONTAINERD, str(folder / "filtered-containerd.sock"))
    (folder / "haproxy.cfg").write_text(text.replace(CONTAINERD_SOCKET, str(folder / "containerd.sock")))
    engine = Engine(str(engine_path), Handler)
    Thread(target=engine.serve_forever, args=(0.01,), daemon=True).start()
    try:
        with started(haproxy, folder / "haproxy.cfg"):
            yield Filter(folder, seen)
    finally:
        engine.shutdown()
        engine.server_close()


@contextmanager
def started(haproxy: str, config: Path) -> Iterator[None]:
    """Run HAProxy until the end of the block, which begins when it is ready."""
    process = subprocess.Popen([haproxy, "-W", "-db", "-f", str(config)], stderr=subprocess.PIPE, text=True)
    try:
        # In the foreground, it says that it is ready by a line on standard error.
        assert process.stderr
        said = ""
        while "Loading success" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


def wait_for_health(filtered: Filter, status: int) -> None:
    """Wait until the filter's health has this status: it looks for containerd every second."""
    deadline = time.monotonic() + 30
    while filtered.health() != status:
        assert time.monotonic() < deadline


@contextmanager
def containerd(haproxy: str, folder: Path) -> Iterator[None]:
    """Let another HAProxy play containerd. It answers with the path and the namespace that it is asked for."""
    config = folder / "containerd.cfg"
    config.write_text(f"""
defaults
  mode http
  timeout client 30s
frontend containerd
  bind {folder}/containerd.sock proto h2
  http-request return status 200 content-type text/plain lf-string "%[path] %[req.hdr(containerd-namespace)]"
""")
    with started(haproxy, config):
        yield


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


CONTAINERS = "/containerd.services.containers.v1.Containers"


@pytest.fixture(scope="module")
def ask_containerd(for_cadvisor: Filter, program: Callable[[str], str]) -> Iterator[Callable[..., list[str]]]:
    """A function that asks containerd through the filter, and returns what containerd was asked for and the status."""

    def ask(path: str, *options: str) -> list[str]:
        command = [program("curl"), "--silent", "--unix-socket", str(for_cadvisor.folder / "filtered-containerd.sock")]
        command += ["--path-as-is", "--http2-prior-knowledge", "--request", "POST", "--write-out", " %{http_code}"]
        done = subprocess.run(
            [*command, *options, f"http://localhost{path}"], check=True, capture_output=True, text=True
        )
        return done.stdout.split()

    with containerd(program("haproxy"), for_cadvisor.folder):
        wait_for_health(for_cadvisor, 200)
        yield ask


def test_cadvisor_may_ask_containerd_for_a_container_of_dockers(ask_containerd: Callable[..., list[str]]) -> None:
    asked = ask_containerd(f"{CONTAINERS}/Get", "--header", "containerd-namespace: other")

    assert asked == [f"{CONTAINERS}/Get", "moby", "200"]


@pytest.mark.parametrize(
    "path",
    [
        f"{CONTAINERS}/List",
        f"{CONTAINERS}/Create",
        f"{CONTAINERS}/Get/../Create",
        f"{CONTAINERS}/Get?x",
        f"{CONTAINERS}/%47et",
        f"/x/..{CONTAINERS}/Get",
        "/containerd.services.tasks.v1.Tasks/Exec",
        "/containerd.services.version.v1.Version/Version",
        "/",
    ],
)
def test_cadvisor_may_ask_containerd_for_nothing_else(ask_containerd: Callable[..., list[str]], path: str) -> None:
    assert ask_containerd(path) == ["403"]


def test_a_request_to_containerd_with_another_verb_is_refused(ask_containerd: Callable[..., list[str]]) -> None:
    assert ask_containerd(f"{CONTAINERS}/Get", "--request", "GET") == ["403"]


def test_the_filter_is_healthy_only_with_its_containerd(folder: Path, program: Callable[[str], str]) -> None:
    own = folder / "e"
    own.mkdir()
    bound = f"bind {container_api.SOCKET}"

    with running(program("haproxy"), container_api.haproxy_config(), own, bound) as filtered:
        wait_for_health(filtered, 503)
        assert filtered.answer("GET /_ping") == 200, "cAdvisor can ask the Engine all the same"
        with containerd(program("haproxy"), own):
            wait_for_health(filtered, 200)
        wait_for_health(filtered, 503)
