"""SeaweedFS's masters, with the flags that the cluster gives them: without any one of three, the others go on."""

import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest
import urllib3
from running import free_ports, wait_until
from seaweedfs import credentials, secure, weed

from components import seaweedfs

THREE = [seaweedfs.master_name(host) for host in ("a", "b", "c")]


class Master:
    """One master on the loopback address."""

    def __init__(self, folder: Path, port: int, grpc_port: int) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port
        self._grpc_port = grpc_port

    @property
    def address(self) -> str:
        return f"localhost:{self.port}.{self._grpc_port}"

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        context = credentials(self._folder).context()
        return urllib3.PoolManager(ssl_context=context, assert_hostname=seaweedfs.MASTER, retries=False)

    def start(self, masters: list["Master"]) -> None:
        """Start it as one of these."""
        command = seaweedfs.master_command(THREE[0], THREE[: len(masters)], copies=2)
        election = [flag for flag in command if flag.startswith(("-raft", "-election"))]
        self._folder.mkdir(exist_ok=True)
        peers = ",".join(master.address for master in masters) if len(masters) > 1 else "none"
        self._process = subprocess.Popen(
            [
                *(*weed(secure(self._folder, "master", hosts=["localhost"])), "master"),
                *("-ip=localhost", "-ip.bind=127.0.0.1", f"-port={self.port}"),
                *(f"-port.grpc={self._grpc_port}", f"-mdir={self._folder}", f"-peers={peers}", "-telemetry=false"),
                *election,
            ],
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def leads(self) -> bool:
        return b'"IsLeader":true' in self._ask("/cluster/status")

    def reaches_the_leader(self) -> bool:
        """Return whether it passes a question on. The leader refuses, since it has no volume servers."""
        return b"no free volumes" in self._ask("/dir/assign")

    def _ask(self, path: str) -> bytes:
        """Ask it as a replica of the file service does. Return nothing if it does not answer."""
        try:
            return bytes(self._pool.request("GET", f"https://127.0.0.1:{self.port}{path}", timeout=5).data)
        except urllib3.exceptions.HTTPError:
            return b""


@pytest.fixture
def masters(tmp_path: Path) -> Iterator[list[Master]]:
    ports = free_ports(6)
    created = [Master(tmp_path / name, ports[number], ports[number + 3]) for number, name in enumerate("abc")]
    yield created
    for master in created:
        master.kill()


def wait_for_leader(masters: list[Master], *, seconds: int) -> Master:
    found: list[Master] = []

    def is_there() -> bool:
        found[:] = [master for master in masters if master.leads()]
        return len(found) == 1

    wait_until(is_there, seconds=seconds)
    return found[0]


@pytest.mark.slow
def test_three_masters_that_were_one_elect_another_leader(masters: list[Master]) -> None:
    first, *others = masters
    first.start([first])
    wait_until(first.leads)
    first.kill()
    for master in (*others, first):
        master.start(masters)

    for _ in range(2):
        leader = wait_for_leader(masters, seconds=60)
        for master in masters:
            wait_until(master.reaches_the_leader, seconds=60)
        leader.kill()
        wait_for_leader(masters, seconds=30)
        leader.start(masters)
