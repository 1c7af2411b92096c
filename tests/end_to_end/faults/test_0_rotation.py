"""Passwords, certificates and keys are replaced while the cluster is in use."""

import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from certificates import self_signed
from cluster import Cluster
from load import Load
from outages import HOSTS, recover, urls

from components import patroni

PASSWORDS = {
    # The edges are replaced, each of which closes its host's port for a moment.
    "operator_password": {"refused": 0, "broken": 30},
    "influxdb_writer_password": {"refused": 0, "broken": 0},
    "influxdb_reader_password": {"refused": 0, "broken": 0},
    # Every PostgreSQL and every replica is replaced.
    "postgres_password": {"refused": 120, "broken": 120},
}
"""For how many seconds transfers may be refused with a status, and for how many connections may break."""


def replace(
    what: str,
    change: Callable[[], None],
    cluster: Cluster,
    load: Load,
    record: Callable[[str], None],
    *,
    through: Sequence[str],
    refused: int,
    broken: int,
) -> None:
    """Make a change under load, and check that no file is lost and that no more is noticed than may be.

    `refused` and `broken` are the seconds between the first and the last transfer that the service refuses with a
    status, and whose connection breaks; 0 if there may be none.
    """
    with load.running(*through):
        cluster.eventually(lambda: len(load.transfers) > 10)
        began = time.monotonic()
        change()
        seconds = time.monotonic() - began
        recover(cluster, load)
    record(f"{what}: replaced in {seconds:.0f} s; {load.described()}")
    failed = [transfer for transfer in load.transfers if not transfer.ok]
    assert load.lost(*through) == []
    assert not any("differs" in transfer.problem for transfer in failed), load.described()
    for limit, times in (
        (refused, [transfer.began for transfer in failed if transfer.status]),
        (broken, [transfer.began for transfer in failed if not transfer.status]),
    ):
        if not limit:
            assert times == [], load.described()
        elif times:
            assert max(times) - min(times) <= limit, load.described()


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_password(cluster: Cluster, load: Load, record: Callable[[str], None], name: str) -> None:
    def change() -> None:
        cluster.set_secret(name, secrets.token_urlsafe(18))
        cluster.up()

    replace(name, change, cluster, load, record, through=urls(cluster), **PASSWORDS[name])
    cluster.pulumi("preview", "--expect-no-changes")


def test_the_certificate_of_the_edge(
    cluster: Cluster, load: Load, record: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    addresses = [cluster.address(host) for host in HOSTS]
    old, new = self_signed(addresses=addresses), self_signed(addresses=addresses)
    trusted = tmp_path / "trusted.pem"
    trusted.write_text("".join(pem.partition("-----BEGIN PRIVATE KEY")[0] for pem in (old, new)))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))

    def change() -> None:
        cluster.set_secret("edge_certificate", new)
        cluster.up()

    with cluster.configured():
        cluster.set_secret("edge_certificate", old)
        cluster.up()
        through = [url.replace("http://", "https://") for url in urls(cluster)]
        # The edges are replaced, as for the operator's password.
        replace("edge_certificate", change, cluster, load, record, through=through, refused=0, broken=30)
        for address in addresses:
            assert ssl.get_server_certificate((address, 5001)) in new
        cluster.pulumi("preview", "--expect-no-changes")
    cluster.up()


def test_all_keys_and_certificates_that_the_cluster_makes_itself(
    cluster: Cluster, load: Load, record: Callable[[str], None]
) -> None:
    def authority() -> str:
        (container,) = cluster.containers("postgres-master")
        return cluster.on("master", f"docker exec {container} cat {patroni.AUTHORITY_PATH}")

    def change() -> None:
        cluster.up("--replace", cluster.urn("seed-text"))

    before = authority()
    # Everything of the index and of the object store is replaced, and so is every replica.
    replace("the seed", change, cluster, load, record, through=urls(cluster), refused=180, broken=120)
    assert authority() != before
    cluster.pulumi("preview", "--expect-no-changes")


def test_the_authority_of_the_swarm(cluster: Cluster, load: Load, record: Callable[[str], None]) -> None:
    def trusted() -> dict[str, str]:
        ask = "docker node inspect --format '{{.Description.TLSInfo.TrustRoot}}'"
        return {host: cluster.on("master", f"{ask} {host}") for host in HOSTS}

    def running() -> set[str]:
        return {container for host in HOSTS for container in cluster.on(host, "docker ps -q").split()}

    def change() -> None:
        cluster.on("master", "docker swarm ca --rotate --quiet", timeout=300)
        cluster.up()

    before, containers = trusted(), running()
    replace("the swarm's authority", change, cluster, load, record, through=urls(cluster), refused=0, broken=0)
    after = trusted()
    assert all(after[host] != before[host] for host in HOSTS)
    assert len(set(after.values())) == 1
    assert running() == containers
    cluster.pulumi("preview", "--expect-no-changes")


def test_the_key_of_a_host(cluster: Cluster) -> None:
    """As the runbook says. No users are served by ssh, so there is no load."""
    known_hosts = cluster.lab.ssh_dir / "known_hosts"
    address, key = cluster.address("slave"), "/etc/ssh/ssh_host_ed25519_key"
    lines = known_hosts.read_text().splitlines()
    old = [line for line in lines if line.split()[0] == address]
    assert old
    cluster.on("slave", "sudo ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/next")
    kind, public, *_ = cluster.on("slave", "sudo cat /etc/ssh/next.pub").split()

    known_hosts.write_text("".join(f"{line}\n" for line in [*lines, f"{address} {kind} {public}"]))
    moved = [f"sudo mv {key}{end} {key}{end}.old && sudo mv /etc/ssh/next{end} {key}{end}" for end in ("", ".pub")]
    cluster.on("slave", " && ".join([*moved, "sudo pkill -HUP -o -x sshd"]))
    cluster.pulumi("preview", "--expect-no-changes")
    known_hosts.write_text("".join(f"{line}\n" for line in known_hosts.read_text().splitlines() if line not in old))
    cluster.pulumi("preview", "--expect-no-changes")

    cluster.vagrant_up("slave")  # it records the host's key again
    cluster.pulumi("preview", "--expect-no-changes")
