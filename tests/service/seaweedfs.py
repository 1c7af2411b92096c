"""A real SeaweedFS on loopback: a master and two volume servers, which a test can kill, stop and move."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import urllib3
from object_store import free_ports, sockets
from running import wait_until

from components import seaweedfs
from file_transfer.chunks import StorageUnavailableError
from file_transfer.stores.seaweedfs import SeaweedFsStore
from file_transfer.stores.seaweedfs_credentials import Credentials

COPIES = 2
SEED = "the seed of the tests"

Requests = list[tuple[str, str, str]]
"""Requests of a store: the method, the address, and the path with its query."""


class Cluster:
    """The servers, by the names `master`, `node0` and `node1`. `node0` and `node1` are also the nodes' ids."""

    def __init__(self, folder: Path, volume_options: Sequence[str] = ()) -> None:
        self._folder = folder
        self.credentials = credentials(folder)
        self._volume_options = volume_options
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._has_lost_master = False
        ports = free_ports()
        self.ports = dict(zip(("master", "node0", "node1"), ports[:3], strict=True))
        self.spare_port = ports[3]

    @property
    def master(self) -> str:
        return self.address("master")

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def store(self, *, node: str = "node0", **options: Any) -> SeaweedFsStore:
        return SeaweedFsStore([self.master], COPIES, node, **{**vars(self.credentials), **options})

    def ask_master(self, path: str) -> Any:
        """Return what the master says to somebody with a replica's certificate."""
        context = urllib3.PoolManager(ssl_context=self.credentials.context(), assert_hostname=seaweedfs.MASTER)
        return context.request("GET", f"https://{self.master}{path}", timeout=5).json()

    def variables(self, folder: Path) -> dict[str, str]:
        """Return a replica's settings with its credentials, whose keys it writes into files in the folder."""
        (folder / "write-key").write_text(self.credentials.write_key)
        (folder / "read-key").write_text(self.credentials.read_key)
        return {
            "SEAWEEDFS_WRITE_KEY_FILE": str(folder / "write-key"),
            "SEAWEEDFS_READ_KEY_FILE": str(folder / "read-key"),
            "SEAWEEDFS_IDENTITY_FILE": str(self.credentials.identity),
            "SEAWEEDFS_AUTHORITY_FILE": str(self.credentials.authority),
        }

    def folder(self, name: str) -> Path:
        """Where the server keeps its data."""
        return self._folder / name

    def start(self, name: str) -> None:
        port = self.ports[name]
        data = self.folder(name)
        data.mkdir(exist_ok=True)
        address = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-port={port}"]
        if name == "master":
            program = ["master", *address, f"-mdir={data}", "-peers=none", "-volumeSizeLimitMB=64", "-telemetry=false"]
        else:
            program = [
                "volume", *address, f"-id={name}", f"-publicUrl={name}", f"-dir={data}", "-max=20",
                f"-master={self.master}", "-index=memory", "-readMode=local",
                f"-readBufferSizeMB={seaweedfs.READ_BUFFER_MIB}", *self._volume_options,
            ]  # fmt: skip
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*weed(secure(self._folder, program[0])), *program],
                stdout=log, stderr=log, env={**os.environ, "GOMEMLIMIT": "256MiB"},
            )  # fmt: skip

    def move(self, name: str) -> None:
        """Start the volume server again at another address."""
        self.ports[name], self.spare_port = self.spare_port, self.ports[name]
        self.start(name)

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait(timeout=60)
        self._has_lost_master |= name == "master"

    def mend(self) -> None:
        """Bring back what a test has killed or frozen."""
        for name in self._processes:
            self.thaw(name)
        if self._has_lost_master:
            self.kill_all()
            self.start_all()
            return
        for name in {"node0", "node1"} - self._processes.keys():
            self.start(name)
        wait_until(self.is_ready, seconds=60)
        wait_until(lambda: is_writable(self.store()), seconds=60)

    def start_all(self) -> None:
        self._has_lost_master = False
        self.start("master")
        wait_until(self.has_leader, seconds=60)  # a volume server that finds no master waits before it asks again
        self.start("node0")
        self.start("node1")
        wait_until(self.is_ready, seconds=60)

    def kill_all(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def freeze(self, name: str) -> None:
        process = self._processes[name]
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: _is_stopped(process.pid))  # until then, its threads may still answer

    def thaw(self, name: str) -> None:
        self._processes[name].send_signal(signal.SIGCONT)

    def connected(self) -> set[str]:
        """Return the names of the volume servers that the master knows at their present addresses."""
        topology = self.ask_master("/dir/status")["Topology"]
        addresses = {
            node["Url"]
            for data_center in topology["DataCenters"] or ()
            for rack in data_center["Racks"]
            for node in rack["DataNodes"]
        }
        return {name for name in self.ports if self.address(name) in addresses}

    def has_leader(self) -> bool:
        try:
            return self.ask_master("/cluster/status").get("IsLeader", False) is True
        except urllib3.exceptions.HTTPError:
            return False

    def is_ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, (self._folder / f"{name}.log").read_text()[-3000:]
        try:
            return self.connected() == {"node0", "node1"} and all(
                requests.get(f"http://{self.address(name)}/healthz", timeout=5).ok for name in ("node0", "node1")
            )
        except (requests.ConnectionError, urllib3.exceptions.HTTPError):
            return False

    def copies(self, key: str) -> dict[str, bytes]:
        """Return what each volume server that runs has stored under the key."""
        found = {}
        for name in self._processes.keys() & {"node0", "node1"}:
            headers = self.credentials.to_read(key)
            response = requests.get(f"http://{self.address(name)}/{key}", headers=headers, timeout=5)
            assert response.status_code in (200, 404)
            if response.status_code == 200:
                found[name] = response.content
        return found

    def read_only_volumes(self, name: str) -> list[int]:
        volumes = requests.get(f"http://{self.address(name)}/status", timeout=5).json()["Volumes"]
        return [volume["Id"] for volume in volumes if volume["ReadOnly"]]

    def delete_copy(self, name: str, key: str) -> None:
        url = f"http://{self.address(name)}/{key}?type=replicate"
        assert requests.delete(url, headers=self.credentials.to_write(key), timeout=5).status_code in (202, 404)

    def damage(self, name: str, content: bytes) -> None:
        """Change the first byte of the content on the disk of the volume server."""
        (file,) = (path for path in self.folder(name).glob("*.dat") if content[:32] in path.read_bytes())
        with file.open("r+b") as volume:
            volume.seek(file.read_bytes().index(content[:32]))
            volume.write(bytes([content[0] ^ 1]))

    def stored_bytes(self) -> int:
        """Return the size of all volumes on the disk of both volume servers."""
        return sum(path.stat().st_size for name in ("node0", "node1") for path in self.folder(name).glob("*.dat"))

    def close(self) -> None:
        self.kill_all()
        for port in (*self.ports.values(), self.spare_port):
            for left in sockets(port):
                left.unlink()


def weed(security: Path) -> list[str]:
    """Return the beginning of a command line of SeaweedFS, with the folder of its security.toml."""
    return [str(Path(sys.prefix) / "bin" / "weed"), "-logtostderr=true", f"-config_dir={security}"]


def secure(folder: Path, program: str, *, hosts: Sequence[str] = (), certificate: str = "") -> Path:
    """Return a folder with the security.toml of a `master` or a `volume` server, as the cluster has it, and its files.

    It has the certificate of another program if one is named.
    """
    security = folder / f"{program}-{certificate or 'own'}-security"
    security.mkdir(exist_ok=True)
    own = {"master": seaweedfs.MASTER, "volume": seaweedfs.VOLUME_SERVER}[program]
    identity = seaweedfs.identity(SEED, certificate or own, hosts=[seaweedfs.MASTER, *hosts])
    (security / seaweedfs.IDENTITY_FILE).write_text(identity.pem)
    (security / seaweedfs.AUTHORITY_FILE).write_text(identity.authority)
    keys = {"write_key": seaweedfs.write_key(SEED), "read_key": seaweedfs.read_key(SEED)}
    (security / seaweedfs.SECURITY).write_text(
        seaweedfs.master_security(str(security))
        if program == "master"
        else seaweedfs.volume_server_security(folder=str(security), **keys)
    )
    return security


def credentials(folder: Path, *, seed: str = SEED) -> Credentials:
    """Return a replica's credentials."""
    replica = seaweedfs.identity(seed, seaweedfs.REPLICA)
    (folder / "replica.pem").write_text(replica.pem)
    (folder / "authority.pem").write_text(seaweedfs.identity(SEED, seaweedfs.REPLICA).authority)
    return Credentials(
        write_key=seaweedfs.write_key(seed),
        read_key=seaweedfs.read_key(seed),
        identity=folder / "replica.pem",
        authority=folder / "authority.pem",
    )


@contextmanager
def running(folder: Path, volume_options: Sequence[str] = ()) -> Iterator[Cluster]:
    cluster = Cluster(folder, volume_options)
    try:
        cluster.start_all()
        yield cluster
    finally:
        cluster.close()


def is_writable(store: SeaweedFsStore) -> bool:
    try:
        store.check_writable()
    except StorageUnavailableError:
        return False
    return True


def _is_stopped(pid: int) -> bool:
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)
