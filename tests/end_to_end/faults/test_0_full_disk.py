"""A disk of one host that is full: nothing acknowledged is lost, and room is all that is needed. Downloads go on.

The hosts share the machine's disk. So a volume gets a small file system of its own, in a file of the machine.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster import Cluster
from load import Load
from outages import HOSTS, postgres_roles, recover, urls
from table import Table

from components import patroni

MIB = 2**20
HOST = "slave"
FULL_SECONDS = 60
ROOM = {"object-store-volume": 1280 * MIB, f"postgres-{HOST}": 160 * MIB}
"""How much more than its present content each volume's disk has room for. A volume server wants 1 GiB to stay free."""


@dataclass(frozen=True)
class Disk:
    """A small disk of a host's volume."""

    cluster: Cluster
    volume: str

    @property
    def folder(self) -> str:
        return f"/var/lib/docker/volumes/{self.volume}/_data"

    def fill(self) -> None:
        """Leave not one free block. Nothing is written unless it is this disk that would be filled."""
        self.cluster.on(
            HOST,
            f"""sudo sh -euc 'mountpoint -q {self.folder}
            fallocate -l $(df --output=avail -B1 {self.folder} | tail -n 1) {self.folder}/filler || true
            head -c 64M /dev/zero >{self.folder}/filler-too || true
            df {self.folder}' 2>&1""",
        )

    def free(self) -> None:
        self.cluster.on(HOST, f"sudo rm -f {self.folder}/filler {self.folder}/filler-too")


@contextmanager
def drained(cluster: Cluster, *volumes: str) -> Iterator[None]:
    """Take the host's tasks away, so that nothing uses the volumes."""
    cluster.on("master", f"docker node update --availability drain {HOST} >/dev/null")
    try:
        for volume in volumes:
            cluster.eventually(
                lambda volume=volume: not cluster.on(HOST, f"docker ps --quiet --filter volume={volume}"), seconds=120
            )
        yield
    finally:
        cluster.on("master", f"docker node update --availability active {HOST} >/dev/null")


@pytest.fixture(scope="module")
def disks(cluster: Cluster, load: Load) -> Iterator[dict[str, Disk]]:
    """Give the volumes their disks. Afterwards, their content is on the host's own disk again."""
    found = {volume: Disk(cluster, volume) for volume in ROOM}
    with drained(cluster, *ROOM):
        devices = {volume: device(cluster, disk) for volume, disk in found.items()}
        for volume, disk in found.items():
            number = devices[volume].removeprefix("/dev/loop")
            cluster.on(
                HOST,
                f"""sudo sh -euc '[ -e {devices[volume]} ] || mknod {devices[volume]} b 7 {number}
                mkdir -p /mnt/{volume}
                mount {devices[volume]} /mnt/{volume}
                cp -a {disk.folder}/. /mnt/{volume}
                rmdir /mnt/{volume}/lost+found
                mount --bind /mnt/{volume} {disk.folder}
                chown --reference=/mnt/{volume}/. {disk.folder}'""",
            )
    back(cluster, load)
    yield found
    with drained(cluster, *ROOM):
        for volume, disk in found.items():
            cluster.on(
                HOST,
                f"""sudo sh -euc 'umount {disk.folder}
                find {disk.folder} -mindepth 1 -delete
                cp -a /mnt/{volume}/. {disk.folder}
                umount /mnt/{volume}'""",
            )
            subprocess.run(["losetup", "--detach", devices[volume]], check=True)
            image(cluster, volume).unlink()
    back(cluster, load)


def image(cluster: Cluster, volume: str) -> Path:
    return cluster.lab.machine_dir / f"disk-{volume}"


def device(cluster: Cluster, disk: Disk) -> str:
    """Make the disk, and return its block device."""
    used = int(cluster.on(HOST, f"sudo du -sB1 {disk.folder}").split()[0])
    file = image(cluster, disk.volume)
    with file.open("w") as opened:
        opened.truncate(int(used * 1.1) + ROOM[disk.volume])
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-F", str(file)], check=True)
    shown = subprocess.run(["losetup", "--find", "--show", str(file)], check=True, capture_output=True, text=True)
    return shown.stdout.strip()


def back(cluster: Cluster, load: Load) -> None:
    with load.running(*urls(cluster)):
        recover(cluster, load)


def test_a_full_disk_of_a_volume_server_refuses_uploads_and_serves_downloads(
    cluster: Cluster, load: Load, disks: dict[str, Disk], record: Callable[[str], None], table: Table
) -> None:
    disk = disks["object-store-volume"]
    with load.running(*urls(cluster)):
        began = time.monotonic()
        try:
            disk.fill()
            cluster.eventually(lambda: time.monotonic() > began + FULL_SECONDS, seconds=2 * FULL_SECONDS)
            record(f"full disk of a volume server: {load.described()}")
        finally:
            disk.free()
        freed = time.monotonic()
        large_is_stored(cluster, "after-a-full-disk")
        recover(cluster, load)
        record(f"full disk of a volume server: uploads go on {time.monotonic() - freed:.0f} s after there is room")
    verdict(cluster, load, table, began, f"the disk of a volume server full for {FULL_SECONDS} s")


@pytest.fixture(params=["standby", "primary"])
def role(request: pytest.FixtureRequest, cluster: Cluster, load: Load) -> Iterator[str]:
    """The role of the host's PostgreSQL. Afterwards, the primary is on the manager again."""
    promote(cluster, HOST if request.param == "primary" else "master")
    yield request.param
    promote(cluster, "master")
    back(cluster, load)


def test_a_full_disk_of_the_index_refuses_uploads_and_serves_downloads(
    cluster: Cluster,
    load: Load,
    disks: dict[str, Disk],
    record: Callable[[str], None],
    table: Table,
    role: str,
) -> None:
    disk = disks[f"postgres-{HOST}"]
    primary = HOST if role == "primary" else "master"
    (container,) = cluster.containers(f"postgres-{primary}", primary)
    next_segment = f"docker exec {container} psql -h /tmp -d postgres -c 'SELECT pg_switch_wal()'"
    with load.running(*urls(cluster)):
        cluster.eventually(lambda: len(load.transfers) > 10)
        began = time.monotonic()
        try:
            disk.fill()
            # PostgreSQL writes into old segments of its log as long as it has some. A primary without room ends.
            cluster.on(primary, next_segment)
            for _ in range(7):
                cluster.on(primary, f"{next_segment} || true")
            cluster.eventually(lambda: time.monotonic() > began + FULL_SECONDS, seconds=2 * FULL_SECONDS)
            record(f"full disk of the {role}: {load.described()}")
        finally:
            disk.free()
        freed = time.monotonic()
        recover(cluster, load)
        record(f"full disk of the {role}: all is well {time.monotonic() - freed:.0f} s after there is room")
    fault = f"the disk of the index's {role} full for {FULL_SECONDS} s"
    # A primary without room ends, and the standby takes its place.
    verdict(cluster, load, table, began, fault, interruption=10 if role == "primary" else 0)


def promote(cluster: Cluster, host: str) -> None:
    """Make the host's PostgreSQL the primary, unless it is."""
    if postgres_roles(cluster)[host] != "primary":
        (container,) = cluster.containers(f"postgres-{host}", host)
        switch = f"patronictl --config-file {patroni.CONFIG} switchover --candidate postgres-{host} --force"
        cluster.on(host, f"docker exec {container} {switch} {patroni.scope(patroni.MAJOR)} 2>&1")
    wanted = {name: "primary" if name == host else "replica" for name in HOSTS}
    cluster.eventually(lambda: postgres_roles(cluster) == wanted)


def large_is_stored(cluster: Cluster, name: str) -> None:
    """Wait until a file that needs a volume server is stored through each host."""

    def stored() -> bool:
        try:
            for host in ("master", "slave"):
                cluster.upload(f"{name}-{host}", b"\0" * MIB, through=host)
        except (AssertionError, OSError):
            return False
        return True

    cluster.eventually(stored, seconds=180)


def verdict(cluster: Cluster, load: Load, table: Table, began: float, fault: str, *, interruption: int = 0) -> None:
    """Check the transfers. Downloads may have failed for `interruption` seconds."""
    lost = load.lost(*urls(cluster))
    table.add(fault, load, began, lost=lost)
    assert lost == []
    interrupted = [transfer for transfer in load.transfers if not transfer.upload and not transfer.ok]
    if interrupted:
        end = max(transfer.began + transfer.seconds for transfer in interrupted)
        assert end - min(transfer.began for transfer in interrupted) < interruption, interrupted
    refused = {transfer.status for transfer in load.transfers if transfer.upload and not transfer.ok}
    assert refused, "the disk was full"
    assert refused <= {503, 507}, load.described()
