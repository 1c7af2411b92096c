"""A host with Docker Engine 29 and its default image store, which is containerd's, in a cluster with older Engines."""

import hashlib
import os
from collections.abc import Iterator

import pytest
from cluster import Cluster

from components.file_service import PORT
from lab import engine_29

MIB = 2**20
THIRD = {"name": "third", "address": "192.168.50.4", "role": "worker", "cpus": 1, "memory": 1024}
FILES = {f"with-engine-29-{number}": os.urandom(9 * MIB) for number in range(3)}
ASK = "import hashlib, sys, urllib.request as r; print(hashlib.sha256(r.urlopen(sys.argv[1]).read()).hexdigest())"
"""A Python program that prints the SHA-256 of what an address serves."""


@pytest.fixture
def third(cluster: Cluster) -> Iterator[str]:
    """A third host with Engine 29, which is in the cluster during the test."""
    programs = engine_29.build()
    try:
        with cluster.configured(hosts=[*cluster.hosts, THIRD], file_service={"replicas": 4}):
            cluster.vagrant_up("third")
            cluster.install_engine("third", programs)
            cluster.up()
            yield "third"
    finally:
        cluster.up()
        cluster.vagrant_destroy("third")


def test_a_host_with_engine_29_builds_images_runs_services_and_is_measured(cluster: Cluster, third: str) -> None:
    version, store = cluster.on(third, "docker info --format '{{.ServerVersion}}|{{.DriverStatus}}'").split("|")
    assert version == engine_29.VERSION
    assert "io.containerd.snapshotter" in store
    assert cluster.own_images(third, "file-transfer"), "it has built our image"

    for name, content in FILES.items():
        cluster.upload(name, content, through=third)
    (replica,) = cluster.containers("files", third)
    for name, content in FILES.items():
        url = f"http://127.0.0.1:{PORT}/files/{name}"
        digest = cluster.on(third, f"docker exec {replica} python3 -c '{ASK}' {url}")
        assert digest.strip() == hashlib.sha256(content).hexdigest()
        assert cluster.download(name, back="slave") == content

    for service in ("files", "edge", "node-exporter"):
        query = f'container_memory_working_set_bytes{{node="{third}",service="{service}"}}'
        cluster.eventually(lambda query=query: len(cluster.prometheus(query)) == 1, seconds=60)
    cluster.pulumi("preview", "--expect-no-changes")
    cluster.pulumi("preview", "--refresh", "--expect-no-changes")
