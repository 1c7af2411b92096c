"""Three managers: if the primary's host is lost for good, the others go on, and another machine takes its place.

The steps build on each other. Monitoring may be on another host at the end, so only `destroy` comes after these.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from cluster import Cluster
from load import Load, get
from outages import postgres_role, recover
from table import Table

NAMES = ("master", "slave", "third")
BACK_SECONDS = 30
NOTICED_SECONDS = 10
OBSERVED_SECONDS = 30


@dataclass
class Managers:
    """The three hosts, the files that were acknowledged meanwhile, and the name of the host that is lost."""

    cluster: Cluster
    load: Load = field(default_factory=Load)
    lost: str = ""

    @property
    def others(self) -> list[str]:
        return [name for name in NAMES if name != self.lost]

    def urls(self, names: Sequence[str] = NAMES) -> list[str]:
        return [self.cluster.url(name) for name in names]

    def entries(self, order: Sequence[str] = NAMES, *, gone: str = "") -> list[dict[str, Any]]:
        """Return the setting `hosts` with three managers, of which one may be gone."""
        return [
            {
                "name": name,
                "address": self.cluster.address(name),
                "role": "manager",
                "cpus": 1,
                "memory": 2048,
                "state": "gone" if name == gone else "active",
            }
            for name in order
        ]

    def primary(self, names: Sequence[str]) -> str:
        """Return which of these hosts has the primary, as Patroni says, or nothing if none or several have."""
        found = [
            name
            for name in names
            for container in self.cluster.containers(f"postgres-{name}", name)
            if postgres_role(self.cluster, name, container) == "primary"
        ]
        return found[0] if len(found) == 1 else ""


@pytest.fixture(scope="module")
def managers(cluster: Cluster) -> Managers:
    return Managers(cluster)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=30).ok
    except requests.ConnectionError:
        return False


def test_three_managers_have_a_member_of_everything_that_votes(managers: Managers) -> None:
    cluster = managers.cluster

    with cluster.configured(hosts=managers.entries()):
        cluster.vagrant_up("third")
        cluster.up()
        cluster.pulumi("preview", "--expect-no-changes")

    for name in NAMES:
        for service in (f"etcd-{name}", f"object-store-master-{name}", f"postgres-{name}"):
            assert cluster.containers(service, name), service


def test_the_keys_of_all_members_are_replaced(managers: Managers, record: Callable[[str], None]) -> None:
    """While some have new keys and others old ones, the members of etcd refuse each other."""
    cluster, load = managers.cluster, managers.load
    with cluster.configured(hosts=managers.entries()):
        with load.running(*managers.urls()):
            cluster.eventually(lambda: len(load.acknowledged) > 20, shown=load.described)
            cluster.up("--replace", cluster.urn("seed-text"))
            recover(cluster, load)
        record(f"the seed, with three managers: {load.described()}")
        cluster.pulumi("preview", "--expect-no-changes")
    assert load.lost(*managers.urls()) == []


def test_without_two_of_three_managers_downloads_go_on_through_the_third_and_all_is_as_before_when_they_are_back(
    managers: Managers, record: Callable[[str], None], table: Table
) -> None:
    """The third has a copy of each small file, which is in the index, and of two thirds of the chunks."""
    cluster, load = managers.cluster, managers.load
    cluster.eventually(lambda: bool(managers.primary(NAMES)))
    primary = managers.primary(NAMES)
    # A host has at most two of the three replicas, so one of these has one.
    standbys = [name for name in NAMES if name != primary]
    left = next(name for name in standbys if cluster.containers("files", name))
    (other,) = [name for name in standbys if name != left]
    url = cluster.url(left)

    with load.running(url):
        cluster.eventually(lambda: len(load.acknowledged) > 60, shown=load.described)
        gone = time.monotonic()
        with cluster.stopped(primary), cluster.stopped(other):
            cluster.eventually(lambda: time.monotonic() > gone + NOTICED_SECONDS + OBSERVED_SECONDS)
            late = [t for t in load.transfers if t.upload and t.ok and t.began > gone + NOTICED_SECONDS]
            found = [get(url, name, digest) for name, digest in load.acknowledged.items()]
        returned = time.monotonic()
        load.use(*managers.urls())
        recover(cluster, load)
        record(f"two of three managers back: all runs after {time.monotonic() - returned:.0f} s")
    served = [transfer for transfer in found if transfer.ok]
    others = {(transfer.status, transfer.problem) for transfer in found if not transfer.ok}
    record(f"without two of three managers: {len(served)} of {len(found)} files served, others {others}")
    lost: list[str] = []

    def nothing_is_lost() -> bool:
        lost[:] = load.lost(*managers.urls())
        return not lost

    # After all has run again, an edge of a host that came back may refuse connections for another while.
    cluster.eventually(nothing_is_lost, seconds=180, shown=lambda: lost)
    table.add("two of three managers killed, and back", load, gone, lost=lost, nodes=[left])
    table.count_samples(cluster)
    assert not late, f"acknowledged on one host: {late}"
    assert len(served) > len(found) / 2
    assert {status for status, _ in others} <= {503}, others
    assert sorted(cluster.on("master", "docker node ls --format '{{.Hostname}} {{.ManagerStatus}}'").split()) == sorted(
        [*NAMES, "Leader", "Reachable", "Reachable"]
    )
    cluster.eventually(lambda: bool(managers.primary(NAMES)))
    with cluster.configured(hosts=managers.entries()):
        cluster.pulumi("preview", "--expect-no-changes")


def test_without_the_primarys_host_the_others_go_on_by_themselves(
    managers: Managers, record: Callable[[str], None], table: Table
) -> None:
    cluster, load = managers.cluster, managers.load
    cluster.eventually(lambda: bool(managers.primary(NAMES)))
    managers.lost = managers.primary(NAMES)
    others = managers.urls(managers.others)

    with load.running(*others):
        cluster.eventually(lambda: len(load.acknowledged) > 20, shown=load.described)
        gone = time.monotonic()
        cluster.kill(managers.lost)
        for upload in (True, False):
            cluster.eventually(
                lambda upload=upload: load.succeeded_since(gone + BACK_SECONDS, upload=upload) == set(others),
                seconds=2 * BACK_SECONDS,
                shown=load.described,
            )

    failed = [transfer for transfer in load.transfers if transfer.began > gone and not transfer.ok]
    up, down = (max((t.began - gone for t in failed if t.upload == upload), default=0) for upload in (True, False))
    record(f"without {managers.lost}, the primary of three: last failed upload {up:.1f} s, download {down:.1f} s")
    lost = load.lost(*others)
    table.add("the primary of three managers killed for good", load, gone, lost=lost, nodes=())
    assert max(up, down) <= BACK_SECONDS, load.described()
    assert lost == []
    assert managers.primary(managers.others)


def test_a_host_that_cannot_be_reached_is_named_with_both_ways_on(managers: Managers) -> None:
    with managers.cluster.configured(hosts=managers.entries()):
        failed = managers.cluster.pulumi("preview", check=False)

    assert failed.returncode != 0
    line = next(line for line in failed.stdout.splitlines() if line.strip().startswith(f"{managers.lost}: "))
    assert "is it running (`vagrant up" in line
    assert "add `state: gone`" in line


def test_a_host_that_is_gone_is_forgotten_and_the_others_go_on(managers: Managers) -> None:
    cluster, lost = managers.cluster, managers.lost
    first = managers.others[0]

    with cluster.configured(hosts=managers.entries(gone=lost)):
        cluster.up()
        cluster.pulumi("preview", "--expect-no-changes")

    assert sorted(cluster.on(first, "docker node ls --format '{{.Hostname}}'").split()) == managers.others
    (etcd,) = cluster.containers(f"etcd-{first}", first)
    members = cluster.on(first, f"docker exec {etcd} etcdctl member list --write-out json")
    assert sorted(member["name"] for member in json.loads(members)["members"]) == [f"etcd-{n}" for n in managers.others]
    assert managers.load.lost(*managers.urls(managers.others)) == []
    cluster.upload("without-the-lost-one", b"content", through=first)


def test_another_machine_takes_its_place(managers: Managers) -> None:
    cluster, lost = managers.cluster, managers.lost
    cluster.vagrant_destroy(lost)
    cluster.vagrant_up(lost)

    with cluster.configured(hosts=managers.entries([*managers.others, lost])):
        cluster.up()
        cluster.pulumi("preview", "--expect-no-changes")

    assert cluster.download("without-the-lost-one", back=lost) == b"content"
    assert managers.load.lost(cluster.url(lost)) == []


def test_one_manager_can_remain_of_three(managers: Managers) -> None:
    cluster = managers.cluster

    with cluster.configured(hosts=managers.entries()):
        cluster.up()
    cluster.up()
    cluster.pulumi("preview", "--expect-no-changes")

    assert sorted(cluster.on("master", "docker node ls --format '{{.Hostname}}'").split()) == ["master", "slave"]
    cluster.eventually(lambda: all(map(is_ready, managers.urls(["master", "slave"]))))
    assert managers.load.lost(*managers.urls(["master", "slave"])) == []
    cluster.upload("one-manager", b"content", through="slave")
    cluster.vagrant_destroy("third")
