"""Containers that run out of memory: the kernel kills what is in them, and nothing acknowledged is lost."""

import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from load import Load
from outages import PRIMARY, STANDBY, killed, place
from table import Table

_EAT = """
for pid in $(docker top {container} -eo pid | tail -n +2); do
  echo 1000 | sudo tee /proc/$pid/oom_score_adj >/dev/null || true
done
docker exec {container} tail /dev/zero >/dev/null 2>&1 </dev/null &
"""
"""Fills a container's memory up to its limit. `tail` keeps what has no end of line, so it grows until it is killed.

The kernel prefers the largest process, which would be `tail`: so the service's own are made its first choice.
"""


@pytest.mark.parametrize("service", ["files", "object-store-volume", PRIMARY, STANDBY])
def test_a_service_without_memory_is_killed_and_comes_back_and_nothing_is_missing(
    cluster: Cluster, load: Load, service: str, record: Callable[[str], None], table: Table
) -> None:
    host, name = place(cluster, service)
    (container, *_) = cluster.containers(name, host)
    before, began = cluster.tasks(name), int(time.time())
    what = f"{service}: killed by the kernel, its memory is full"
    with killed(cluster, load, host, _EAT.format(container=container), what, record, table):
        cluster.eventually(lambda: cluster.tasks(name) != before, seconds=120)
    events = cluster.on(
        host,
        f"docker events --since {began} --until {int(time.time())} --filter event=oom --filter container={container}",
    )
    assert events, "the kernel killed nothing for want of memory"
