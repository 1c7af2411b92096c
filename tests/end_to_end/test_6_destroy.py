"""`pulumi destroy` leaves the hosts as it found them. Only the example runs after these tests, on its own cluster."""

import pytest
from cluster import Cluster


@pytest.fixture(scope="module")
def destroyed(cluster: Cluster) -> Cluster:
    cluster.pulumi("destroy", "--yes", "--skip-preview")
    return cluster


def test_destroy_leaves_the_hosts_as_they_were(destroyed: Cluster) -> None:
    for host in ("master", "slave"):
        assert destroyed.on(host, "docker info --format '{{.Swarm.LocalNodeState}}'").strip() == "inactive"
        assert destroyed.leftovers(host) == []


def test_the_state_is_empty_and_a_second_destroy_succeeds(destroyed: Cluster) -> None:
    assert destroyed.pulumi("stack", "export").stdout.count('"urn"') <= 1
    destroyed.pulumi("destroy", "--yes", "--skip-preview")
