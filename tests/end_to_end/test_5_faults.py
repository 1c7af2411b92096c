"""What happens when containers or both hosts are killed, under load: nothing is lost, and no manual step is needed."""

import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import PRIMARY, STANDBY, killed, place, recover, urls
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


def test_after_a_power_cut_everything_acknowledged_is_there(
    cluster: Cluster, load: Load, record: Callable[[str], None], table: Table
) -> None:
    with load.running(*urls(cluster)):
        began = len(load.acknowledged)
        cluster.eventually(lambda: len(load.acknowledged) > began + 50, shown=load.described)
        gone = time.monotonic()
        with cluster.stopped("master"), cluster.stopped("slave"):
            cluster.drop_page_cache()
        back = time.monotonic()
        recover(cluster, load)
        record(f"after a power cut: all runs {time.monotonic() - back:.1f} s after both hosts have started")
    lost = load.lost(*urls(cluster))
    table.add("power cut on both hosts, and back", load, gone, lost=lost)
    assert lost == []
