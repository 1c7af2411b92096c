"""SeaweedFS's masters, with the flags that the cluster gives them: without any one of three, the others go on."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import free_ports, wait_until

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
        return f"127.0.0.1:{self.port}.{self._grpc_port}"

    def start(self, masters: list["Master"]) -> None:
        """Start it as one of these."""
        command = seaweedfs.master_command(THREE[0], THREE[: len(masters)], copies=2)
        election = [flag for flag in command if flag.startswith(("-raft", "-election"))]
        self._folder.mkdir(exist_ok=True)
        peers = ",".join(master.address for master in masters) if len(masters) > 1 else "none"
        self._process = subprocess.Popen(
            [
                *(Path(sys.prefix) / "bin" / "weed", "master", "-ip=127.0.0.1", f"-port={self.port}"),
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
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/cluster/status", timeout=5) as response:
                return bool(json.load(response).get("IsLeader"))
        except OSError:
            return False


@pytest.fixture
def masters(tmp_path: Path) -> Iterator[list[Master]]:
    ports = free_ports(6)
    created = [Master(tmp_path / name, ports[number], ports[number + 3]) for number, name in enumerate("abc")]
    yield created
    for master in created:
        master.kill()


def test_three_masters_that_were_one_elect_another_leader(masters: list[Master]) -> None:
    first, *others = masters
    first.start([first])
    wait_until(first.leads)
    first.kill()
    for master in (*others, first):
        master.start(masters)

    for _ in range(2):
        wait_until(lambda: any(master.leads() for master in masters), seconds=60)
        (leader,) = [master for master in masters if master.leads()]
        leader.kill()
        wait_until(lambda: any(master.leads() for master in masters), seconds=30)
        leader.start(masters)
