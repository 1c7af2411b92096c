"""A host with Docker Engine 29 and its default image store, which is containerd's, in a cluster with older Engines."""

from cluster import Cluster

from lab import engine_29

THIRD = {"name": "third", "address": "192.168.50.4", "role": "worker", "cpus": 1, "memory": 1024}
RUNS = 'container_memory_working_set_bytes{{node="third",service="{}"}}'


def test_a_host_with_engine_29_builds_images_runs_services_and_is_measured(cluster: Cluster) -> None:
    cluster.upload("before-engine-29", b"content", through="master")
    programs = engine_29.build()

    with cluster.configured(hosts=[*cluster.hosts, THIRD], file_service={"replicas": 4}):
        cluster.vagrant_up("third")
        cluster.install_engine("third", programs)
        version, store = cluster.on("third", "docker info --format '{{.ServerVersion}}|{{.DriverStatus}}'").split("|")
        cluster.up()
        images = cluster.own_images("third", "file-transfer")
        running = cluster.containers("files", "third")
        # Its replica may be without a chunk's copy on its own host, and asks the other hosts.
        downloaded = cluster.download("before-engine-29", back="third")
        cluster.upload("through-engine-29", b"works", through="third")
        for service in ("files", "edge", "node-exporter"):
            query = RUNS.format(service=service)
            cluster.eventually(lambda query=query: len(cluster.prometheus(query)) == 1, seconds=60)
        cluster.pulumi("preview", "--expect-no-changes")
        refreshed = cluster.pulumi("preview", "--refresh", "--expect-no-changes", check=False)
    cluster.up()
    cluster.vagrant_destroy("third")

    assert version == engine_29.VERSION
    assert "io.containerd.snapshotter" in store
    assert images, "it has built our image"
    assert running, "it runs a replica"
    assert downloaded == b"content"
    assert refreshed.returncode == 0, refreshed.stdout
    assert cluster.download("through-engine-29", back="slave") == b"works"
