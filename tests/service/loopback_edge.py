"""The real HAProxy on loopback, with the edge's configuration, in front of the real file service."""

import resource
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import requests
from certificates import self_signed
from running import Server, free_ports, wait_until

from components.edge import HEALTHCHECK
from components.edge_config import HEALTH_PORT, haproxy_config, haproxy_users

PASSWORD = "a-long-password"
ATTACKER = "127.0.0.2"


@dataclass(frozen=True)
class Edge:
    port: int
    statistics_port: int
    health_port: int
    log: Path
    certificate: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, source: str = ATTACKER) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))

    @contextmanager
    def many(self, count: int, sent: bytes, *sources: str) -> Iterator[list[socket.socket]]:
        """Connections that have sent something, from each source in turn. The edge may have closed some of them."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with ExitStack() as stack:
            opened = []
            for source in islice(cycle(sources or (ATTACKER,)), count):
                with suppress(ConnectionError):
                    connection = stack.enter_context(self.connect(source))
                    connection.sendall(sent)
                    opened.append(connection)
            yield opened

    def is_healthy(self) -> bool:
        """Ask as the container's health check does."""
        command = [part.replace(str(HEALTH_PORT), str(self.health_port)) for part in HEALTHCHECK]
        return subprocess.run(["timeout", "5", *command], check=False).returncode == 0

    def answers(self, sent: bytes, source: str = ATTACKER) -> list[int]:
        """The statuses of the responses to what was sent, until the edge closes the connection."""
        with self.connect(source) as connection:
            connection.sendall(sent)
            return statuses(received(connection))


def received(connection: socket.socket) -> bytes:
    """What comes until the connection ends, however it ends."""
    found = b""
    with suppress(ConnectionError):
        while data := connection.recv(65536):
            found += data
    return found


def open_ones(connections: Iterable[socket.socket]) -> int:
    """How many of the connections the other side has not closed, and has sent nothing to."""
    found = 0
    for connection in connections:
        connection.settimeout(0)
        try:
            connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            found += 1
        except ConnectionError:
            continue
    return found


def statuses(responses: bytes) -> list[int]:
    return [int(part.split()[0]) for part in responses.split(b"HTTP/1.1 ")[1:]]


@contextmanager
def edge(
    folder: Path,
    program: Callable[[str], str],
    server: Server,
    *,
    tls: bool = False,
    replaced: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Edge]:
    """Run the edge. `replaced` are further parts of its configuration to replace, such as long times."""
    port, statistics_port, health_port = free_ports(3)
    text = haproxy_config(
        port=port,
        backend="files",
        backend_port=server.port,
        status_port=server.status_port,
        replicas=1,
        max_file_bytes=2**30,
        statistics_port=statistics_port,
        tls=tls,
        **settings,
    )
    certificate = folder / "edge.pem"
    certificate.write_text(self_signed())
    for old, new in {
        f"127.0.0.1:{HEALTH_PORT}": f"127.0.0.1:{health_port}",
        "/run/secrets/edge.pem": str(certificate),
        f"server-template replica 1-64 tasks.files:{server.port}": f"server replica 127.0.0.1:{server.port}",
        "  default-server resolvers docker init-addr none\n": "",
        **(replaced or {}),
    }.items():
        assert old in text or (old == "/run/secrets/edge.pem" and not tls), f"the configuration has no {old}"
        text = text.replace(old, new)
    (folder / "users.cfg").write_text(haproxy_users(PASSWORD, deployment="test"))
    (folder / "haproxy.cfg").write_text(text)
    command = [program("haproxy"), "-db", "-f", str(folder / "users.cfg"), "-f", str(folder / "haproxy.cfg")]
    log_file = folder / "haproxy.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    running = Edge(port, statistics_port, health_port, log_file, certificate, process)

    def is_ready() -> bool:
        assert process.poll() is None, log_file.read_text()
        try:
            scheme = "https" if tls else "http"
            return requests.get(f"{scheme}://127.0.0.1:{port}/readyz", timeout=5, verify=str(certificate)).ok
        except requests.RequestException:
            return False

    try:
        wait_until(is_ready)
        yield running
    finally:
        process.kill()
        process.wait()
