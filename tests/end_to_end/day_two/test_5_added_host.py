"""Hosts join, lead and leave as the list says."""

from cluster import Cluster

VOLUME = "docker:index/volume:Volume"
THIRD = {
    "name": "third",
    "address": "192.168.50.4",
    "role": "manager",
    "cpus": 1,
    "memory": 1024,
    "labels": {"disk": "ssd"},
}


def test_a_host_that_is_added_joins_can_lead_the_swarm_and_is_gone_once_removed(cluster: Cluster) -> None:
    master, slave = cluster.hosts
    cluster.upload("for-the-third", b"content", through="master")
    services = cluster.service_ids()

    with cluster.configured(hosts=[master, slave, THIRD], replacing_manager=True):
        cluster.vagrant_up("third")
        watching = cluster.containers("prometheus")
        cluster.up()
        for seen in (
            'up{job="node-exporter",node="third"} == 1',
            'up{job="cadvisor",node="third"} == 1',
            'container_memory_working_set_bytes{node="third",service="edge"}',
        ):
            cluster.eventually(lambda seen=seen: len(cluster.prometheus(seen)) == 1, seconds=60)
        assert cluster.containers("prometheus") == watching, "Prometheus has not been restarted"
        assert cluster.download("for-the-third", back="third") == b"content"
        labels = cluster.on("master", "docker node inspect third --format '{{json .Spec.Labels}}'")
        assert '"disk":"ssd"' in labels
        cluster.pulumi("preview", "--expect-no-changes")

    with cluster.configured(hosts=[THIRD, slave, master], replacing_manager=True):
        lost = [name for operation, kind, name, _ in cluster.planned() if kind == VOLUME and operation != "create"]
        # A master of the object store learns anew what is where, and etcd's new member gets its data from the old one.
        assert sorted(lost) == ["etcd-master-data-on-master", "object-store-master-master-data-on-master"]
        cluster.up()
        assert cluster.download("for-the-third", back="third") == b"content"
        cluster.upload("while-it-leads", b"works", through="slave")
        cluster.pulumi("preview", "--expect-no-changes")

    with cluster.configured(hosts=[master, slave, THIRD], replacing_manager=True):
        cluster.up()
    cluster.up()

    assert "third" not in cluster.on("master", "docker node ls --format '{{.Hostname}}'").split()
    assert cluster.on("third", "docker info --format '{{.Swarm.LocalNodeState}}'").strip() == "inactive"
    assert cluster.leftovers("third") == ["object-store-volume"], "its data stays, and nothing else"
    assert cluster.service_ids() == services, "the services are still the same ones"
    for name, content in (("for-the-third", b"content"), ("while-it-leads", b"works")):
        assert cluster.download(name, back="slave") == content
    cluster.vagrant_destroy("third")


def test_a_host_in_another_swarm_is_refused_and_left_alone(cluster: Cluster) -> None:
    with cluster.configured(hosts=[*cluster.hosts, {**THIRD, "role": "worker"}]):
        cluster.vagrant_up("third")
        cluster.on("third", "docker swarm init --advertise-addr 192.168.50.4")
        other = cluster.on("third", "docker info --format '{{.Swarm.Cluster.ID}}'")
        failed = cluster.pulumi("up", "--yes", "--skip-preview", check=False)
        assert cluster.on("third", "docker info --format '{{.Swarm.Cluster.ID}}'") == other
    cluster.vagrant_destroy("third")  # it is no longer on the list

    assert failed.returncode != 0
    assert "third: is in another swarm" in failed.stdout
    cluster.pulumi("preview", "--expect-no-changes")
