"""Three managers: if any one host is lost, the others go on by themselves."""

import json
import time
from collections.abc import Callable

import requests
from cluster import Cluster
from load import Load

THIRD = {"name": "third", "address": "192.168.50.4", "role": "manager", "cpus": 1, "memory": 1024}
BACK_SECONDS = 30


def primaries(cluster: Cluster, hosts: list[str]) -> list[str]:
    """Return the hosts among these whose PostgreSQL is the primary, as Patroni says."""
    found = []
    for host in hosts:
        for container in cluster.containers(f"postgres-{host}", host):
            answer = cluster.on(host, f"docker exec {container} wget -q -O - http://127.0.0.1:8008/patroni || true")
            if answer and json.loads(answer)["role"] == "primary":
                found.append(host)
    return found


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=30).ok
    except requests.ConnectionError:
        return False


def test_without_the_primary_s_host_two_of_three_managers_go_on_by_themselves(
    cluster: Cluster, record: Callable[[str], None]
) -> None:
    master, slave = cluster.hosts
    cluster.upload("before-three", b"content", through="master")
    services = cluster.service_ids()
    hosts = ["master", "slave", "third"]
    urls = [cluster.url(host) for host in hosts]
    load = Load()

    with cluster.configured(hosts=[master, {**slave, "role": "manager"}, THIRD]):
        cluster.vagrant_up("third")
        cluster.up()
        for host in hosts:
            assert cluster.containers(f"etcd-{host}", host), f"no member of etcd on {host}"
            assert cluster.containers(f"object-store-master-{host}", host), f"no master of the object store on {host}"
            assert cluster.containers(f"postgres-{host}", host), f"no PostgreSQL on {host}"
        cluster.pulumi("preview", "--expect-no-changes")

        (lost,) = primaries(cluster, hosts)
        others = [host for host in hosts if host != lost]
        with load.running(*[cluster.url(host) for host in others]):
            cluster.eventually(lambda: len(load.acknowledged) > 20, shown=load.described)
            gone = time.monotonic()
            with cluster.stopped(lost):
                for upload in (True, False):
                    cluster.eventually(
                        lambda upload=upload: (
                            load.succeeded_since(gone + BACK_SECONDS, upload=upload)
                            == {cluster.url(host) for host in others}
                        ),
                        seconds=2 * BACK_SECONDS,
                        shown=load.described,
                    )
                failed = [t for t in load.transfers if t.began > gone and not t.ok]
                up, down = (max((t.began - gone for t in failed if t.upload == u), default=0) for u in (True, False))
                record(f"without {lost}, the primary of three: last failed upload {up:.1f} s, download {down:.1f} s")
                assert max(up, down) <= BACK_SECONDS, load.described()
                assert load.lost(*[cluster.url(host) for host in others]) == []
                (promoted,) = primaries(cluster, others)
                assert promoted != lost
        cluster.eventually(lambda: len(primaries(cluster, hosts)) == 1 and all(map(is_ready, urls)), seconds=180)
        assert load.lost(*urls) == []

    cluster.up()

    assert sorted(cluster.on("master", "docker node ls --format '{{.Hostname}}'").split()) == ["master", "slave"]
    assert cluster.service_ids() == services, "the services are still the same ones"
    assert cluster.download("before-three", back="slave") == b"content"
    assert load.lost(*[cluster.url(host) for host in ("master", "slave")]) == []
    cluster.pulumi("preview", "--expect-no-changes")
    cluster.vagrant_destroy("third")
    for name in load.acknowledged:
        requests.delete(f"{cluster.url('master')}/files/{name}", timeout=60)
