"""The only manager is lost for good, with two hosts: a new swarm on the other host has every acknowledged file."""

from cluster import Cluster
from load import Load


def test_a_new_swarm_has_every_file_after_the_only_manager_is_lost(cluster: Cluster) -> None:
    load, url = Load(), cluster.url("slave")
    with load.running(cluster.url("master"), url):
        cluster.eventually(lambda: len(load.acknowledged) > 20, shown=load.described)
    cluster.kill("master")
    master, slave = cluster.hosts
    third = {**slave, "name": "third", "address": cluster.address("third")}
    cluster.configure(hosts=[{**master, "state": "gone"}, {**slave, "role": "manager"}, third])
    cluster.vagrant_up("third")

    planned = cluster.operation("new_swarm")
    assert planned.returncode == 1
    assert "slave would leave the lost swarm" in planned.stderr
    prepared = cluster.operation("new_swarm", "--yes")
    assert prepared.returncode == 0, prepared.stderr
    cluster.up()
    cluster.pulumi("preview", "--expect-no-changes")

    urls = [url, cluster.url("third")]
    assert load.lost(*urls) == []
    cluster.upload("after-it", b"content", through="slave")
    assert cluster.download("after-it", back="third") == b"content"
