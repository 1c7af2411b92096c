"""What happens when containers are killed, under load: nothing is lost, and no manual step is needed."""

from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import PRIMARY, STANDBY, killed, place
from table import Table

KILLED = ["files", PRIMARY, STANDBY, "etcd-master", "object-store-volume", "object-store-master-master"]


@pytest.mark.parametrize("service", KILLED)
def test_a_killed_container_comes_back_and_nothing_is_missing(
    cluster: Cluster, load: Load, service: str, record: Callable[[str], None], table: Table
) -> None:
    host, name = place(cluster, service)
    (container, *_) = cluster.containers(name, host)
    before, what = cluster.tasks(name), f"{service}: its container killed"
    with killed(cluster, load, host, f"docker kill --signal KILL {container} >/dev/null", what, record, table):
        cluster.eventually(lambda: cluster.tasks(name) != before)
