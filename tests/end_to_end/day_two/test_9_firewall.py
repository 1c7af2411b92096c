"""With `firewall`, a host lets strangers in only where it must, also after it was started again."""

import socket
from concurrent.futures import ThreadPoolExecutor

from cluster import Cluster

HOSTS = ("master", "slave")
CONTAINER = "swarm-transfer-firewall"

DOCKERS = {"master": {2377, 7946}, "slave": {7946}}
"""The ports of Docker on which each host listens."""
EVERYBODYS = {22, 5001, 8086, 8087, 8405}
"""The ports of ssh and of what the settings publish."""


def open_ports(cluster: Cluster, host: str) -> set[int]:
    """Return the ports of a host that the tests reach, whose address is no host's."""

    def is_open(port: int) -> bool:
        with socket.socket() as connection:
            connection.settimeout(5)
            return connection.connect_ex((cluster.address(host), port)) == 0

    ports = sorted({2377, 7946, 9100} | EVERYBODYS)
    with ThreadPoolExecutor(len(ports)) as pool:
        return {port for port, found in zip(ports, pool.map(is_open, ports), strict=True) if found}


def is_shut(cluster: Cluster) -> bool:
    return all(open_ports(cluster, host) == EVERYBODYS for host in HOSTS)


def files_cross(cluster: Cluster, name: str) -> None:
    for through, back in (HOSTS, HOSTS[::-1]):
        cluster.upload(f"{name}-{through}", b"content", through=through)
        assert cluster.download(f"{name}-{through}", back=back) == b"content"


def test_strangers_reach_only_ssh_and_what_is_published(cluster: Cluster) -> None:
    for host in HOSTS:
        assert open_ports(cluster, host) == EVERYBODYS | DOCKERS[host]
    nodes, services = cluster.on("master", "docker node ls --quiet"), cluster.service_ids()

    with cluster.configured(firewall={"ports": [9100]}):
        cluster.up()
        assert is_shut(cluster)
        files_cross(cluster, "firewall")
        cluster.pulumi("preview", "--expect-no-changes")
        assert cluster.on("master", "docker node ls --quiet") == nodes, "no host has left the swarm"
        assert cluster.service_ids() == services

        for host in HOSTS:
            with cluster.stopped(host):
                pass
            cluster.eventually(lambda: is_shut(cluster))
            cluster.eventually(lambda: "2/2" in cluster.replicas("edge"), seconds=300)
        cluster.eventually(lambda: "3/3" in cluster.replicas("files"), seconds=300)
        cluster.up()
        files_cross(cluster, "firewall-after-a-start")
        cluster.pulumi("preview", "--expect-no-changes")

    cluster.up()
    for host in HOSTS:
        assert open_ports(cluster, host) == EVERYBODYS | DOCKERS[host]
        assert CONTAINER not in cluster.on(host, "docker ps --all --format '{{.Names}}'").split()
        assert cluster.own_images(host, "firewall") == []
    files_cross(cluster, "without-a-firewall")


def test_a_changed_rule_replaces_the_container_and_never_opens_the_host(cluster: Cluster) -> None:
    with cluster.configured(firewall={}):
        cluster.up()
        first = cluster.on("slave", f"docker inspect {CONTAINER} --format '{{{{.Id}}}}'")
        assert is_shut(cluster)

    with cluster.configured(firewall={"ports": [9100]}):
        assert [
            (operation, name) for operation, kind, name, _ in cluster.planned() if kind == "command:local:Command"
        ] == [("update", "master-firewall"), ("update", "slave-firewall")]
        cluster.up()
        assert cluster.on("slave", f"docker inspect {CONTAINER} --format '{{{{.Id}}}}'") != first
        assert is_shut(cluster)
        files_cross(cluster, "another-port")

    cluster.up()
