"""InfluxDBs that are down, with and without a Prometheus that is killed meanwhile: which samples are lost."""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from cluster import Cluster
from load import Load
from outages import recover, urls
from series import GRID, NODES
from table import Table

from monitoring.metrics import CONTAINER_METRICS, VM_METRICS, Metric

DOWN_SECONDS = 120
METRICS = {"influxdb-vms": VM_METRICS[1], "influxdb-containers": CONTAINER_METRICS[1]}
"""A metric of each database that has a sample every 15 seconds as long as what it measures exists."""


@contextmanager
def down(cluster: Cluster, databases: Sequence[str]) -> Iterator[None]:
    def scale(tasks: int) -> None:
        wanted = " ".join(f"{database}={tasks}" for database in databases)
        cluster.on("master", f"docker service scale {wanted} >/dev/null", timeout=120)

    scale(0)
    try:
        yield
    finally:
        scale(1)


def wait_from(cluster: Cluster, began: float, seconds: float = DOWN_SECONDS) -> None:
    cluster.eventually(lambda: time.time() > began + seconds, seconds=2 * seconds)


def samples(cluster: Cluster, metric: Metric, since: float) -> dict[tuple[str, str], list[float]]:
    """Return the times of the samples of hosts, or of the exporters' containers, by node and service."""
    exporters = "\"service\" = 'cadvisor' OR \"service\" = 'node-exporter'"
    which = f" AND ({exporters})" if metric in CONTAINER_METRICS else ""
    query = f'SELECT "value" FROM "{metric.measurement}" WHERE time >= {int(since)}s{which} GROUP BY "node", "service"'
    return {
        (series.tags["node"], series.tags.get("service") or ""): [row[0] for row in series.rows]
        for series in cluster.read(metric.database, query)
    }


def gaps(cluster: Cluster, database: str, began: float) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Wait for samples of now, and return the last sample before and the first one after each gap since then."""
    metric, now = METRICS[database], time.time()

    def found() -> dict[tuple[str, str], list[float]]:
        return samples(cluster, metric, began - 2 * GRID)

    def is_current() -> bool:
        known = found()
        return {node for node, _ in known} == set(NODES) and all(times[-1] > now for times in known.values())

    cluster.eventually(is_current, seconds=180, shown=found)
    return {
        series: [pair for pair in itertools.pairwise(times) if pair[1] - pair[0] > 1.1 * GRID]
        for series, times in found().items()
    }


@pytest.mark.parametrize("database", METRICS)
def test_with_one_database_down_no_sample_is_lost(cluster: Cluster, load: Load, table: Table, database: str) -> None:
    (other,) = set(METRICS) - {database}
    with load.running(*urls(cluster)):
        gone, began = time.monotonic(), time.time()
        with down(cluster, [database]):
            wait_from(cluster, began)
            assert not any(gaps(cluster, other, began).values()), "the other database has every sample meanwhile"
        recover(cluster, load)
    assert not any(gaps(cluster, database, began).values())
    lost = load.lost(*urls(cluster))
    table.add(f"`{database}` down for {DOWN_SECONDS} s", load, gone, lost=lost)
    assert lost == []
    assert [transfer for transfer in load.transfers if not transfer.ok] == []


def test_with_both_databases_down_and_prometheus_killed_they_lack_what_was_before_the_kill(
    cluster: Cluster, load: Load, table: Table
) -> None:
    """Prometheus sends what it has recorded since its last start. Before that, it alone has the samples."""
    with load.running(*urls(cluster)):
        gone, began = time.monotonic(), time.time()
        with down(cluster, list(METRICS)):
            wait_from(cluster, began, DOWN_SECONDS / 2)
            killed, (container,) = time.time(), cluster.containers("prometheus")
            cluster.on("master", f"docker kill --signal KILL {container} >/dev/null")
            cluster.eventually(lambda: cluster.containers("prometheus") not in ([], [container]))
            again = time.time()
            wait_from(cluster, again, DOWN_SECONDS / 2)
        recover(cluster, load)
    for database in METRICS:
        for series, found in gaps(cluster, database, began).items():
            ((last, first),) = found
            assert last >= began - 2 * GRID, series
            assert first <= again + 3 * GRID, f"{series}: the samples after the kill are lost too"

    # Prometheus itself read them from its log again.
    query = f"{METRICS['influxdb-vms'].measurement}[{int(time.time() - began)}s]"
    for found in cluster.prometheus(query):
        own = [at for at, _ in found["values"]]
        assert len([at for at in own if at < killed]) >= (killed - began) // GRID - 1, own
    lost = load.lost(*urls(cluster))
    what = f"both InfluxDBs down for {DOWN_SECONDS} s, Prometheus killed after {DOWN_SECONDS // 2} s"
    table.add(what, load, gone, lost=lost)
    assert lost == []
    assert [transfer for transfer in load.transfers if not transfer.ok] == []
