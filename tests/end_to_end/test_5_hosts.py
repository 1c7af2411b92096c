"""Hosts that are unsuitable are found and named before any host is changed."""

from cluster import Cluster

ABSENT = {"name": "absent", "address": "192.168.50.77", "role": "worker"}


def test_data_that_would_be_left_behind_is_named_and_nothing_is_touched(cluster: Cluster) -> None:
    with cluster.configured(monitoring={"host": "slave"}):
        failed = cluster.pulumi("preview", check=False)

    assert failed.returncode != 0
    assert 'monitoring.host: "slave" lacks data that is on "master"' in failed.stdout


def test_a_port_that_somebody_else_holds_is_named_and_nothing_is_touched(cluster: Cluster) -> None:
    holder = "docker run --detach --name web --publish 5050:1 --entrypoint sleep"
    cluster.on("slave", f"{holder} $(docker image ls --quiet '*/lab/haproxy' | head -n 1) 600")
    try:
        with cluster.configured(edge_port=5050):
            failed = cluster.pulumi("preview", check=False)
    finally:
        cluster.on("slave", "docker rm --force web")

    assert failed.returncode != 0
    assert 'slave: port 5050 (edge_port) is held by the container "web"' in failed.stdout
    assert "master: port" not in failed.stdout


def test_an_unreachable_host_is_named_and_nothing_is_touched(cluster: Cluster) -> None:
    with cluster.known_key("192.168.50.77", like="slave"), cluster.configured(hosts=[*cluster.hosts, ABSENT]):
        failed = cluster.pulumi("preview", check=False)

    assert failed.returncode != 0
    assert "absent: cannot be reached" in failed.stdout
    assert "slave:" not in failed.stdout


def test_a_changed_host_key_is_refused(cluster: Cluster) -> None:
    with cluster.known_key("192.168.50.3", like="master"):
        failed = cluster.pulumi("preview", check=False)

    assert failed.returncode != 0
    assert "slave: its host key has changed" in failed.stdout


def test_a_wrong_key_is_refused(cluster: Cluster) -> None:
    with cluster.configured(ssh={"private_key_file": str(cluster.foreign_key())}):
        failed = cluster.pulumi("preview", check=False)

    assert failed.returncode != 0
    assert "master: it refuses the user or the key" in failed.stdout
    assert "slave: it refuses the user or the key" in failed.stdout
