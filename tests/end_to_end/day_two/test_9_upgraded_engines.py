"""The packages of all hosts are upgraded one host after the other, and with them Docker Engine 26 to 29.

The hosts keep the new Engine and have no other packages to install, so this is the last test.
"""

import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import apt_repository
from apt_repository import Package
from cluster import Cluster
from maintenance import maintain
from outages import HOSTS

from lab import engine_29

STATE = "docker info --format '{{.ServerVersion}} {{.Driver}}'"


def engine(root: Path) -> Package:
    (root / "usr" / "sbin").mkdir(parents=True)
    (root / "usr" / "bin").mkdir()
    for name in ("dockerd", "docker-proxy"):
        shutil.copy(engine_29.build() / name, root / "usr" / "sbin")
    (root / "usr" / "bin" / "docker-init").symlink_to("tini-static")
    depends = f"containerd, iptables, runc (>= {engine_29.RUNC_VERSION}), tini"
    return Package(name="docker.io", version=engine_29.VERSION, depends=depends, root=root)


def runc(root: Path) -> Package:
    (root / "usr" / "sbin").mkdir(parents=True)
    shutil.copy(engine_29.build() / "runc", root / "usr" / "sbin")
    return Package(name="runc", version=engine_29.RUNC_VERSION, depends="libseccomp2", root=root)


def test_maintenance_upgrades_the_engines_and_downloads_go_on(
    cluster: Cluster, record: Callable[[str], None], tmp_path: Path
) -> None:
    folder = tmp_path / "packages"
    folder.mkdir()
    before = [cluster.on(host, STATE).split() for host in HOSTS]
    assert engine_29.VERSION not in {version for version, _ in before}
    assert {driver for _, driver in before} == {"overlay2"}

    with apt_repository.serving(folder, [engine(tmp_path / "engine"), runc(tmp_path / "runc")]) as source:
        for host in ("slave", "master"):
            only = f"echo {shlex.quote(source)} | sudo tee /etc/apt/sources.list >/dev/null"
            cluster.on(host, f"sudo rm -f /etc/apt/sources.list.d/*; {only}")
            began = time.monotonic()
            maintain(cluster, host)
            record(f"upgrade of {host}: {time.monotonic() - began:.0f} s")

    after = [cluster.on(host, STATE).split() for host in HOSTS]
    assert after == [[engine_29.VERSION, "overlay2"]] * len(HOSTS), "an Engine that is upgraded keeps its store"
    upgraded = time.time()
    for host in HOSTS:
        # Prometheus was away with its host, and still shows the containers from before.
        query = f'timestamp(container_memory_working_set_bytes{{node="{host}",service="edge"}}) > {upgraded}'
        cluster.eventually(lambda query=query: len(cluster.prometheus(query)) == 1, seconds=60)
    cluster.up("--refresh")
    cluster.pulumi("preview", "--expect-no-changes")
