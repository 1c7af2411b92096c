"""Everything is lost but the backups: `pulumi up` and one command bring back every file and every metric."""

import os
from collections.abc import Callable, Iterator

import pytest
import requests
from backups import delete_all, run
from cluster import Cluster
from load import Load
from outages import urls

from monitoring.metrics import VM_METRICS

DIRECTORY = "/srv/backup"
HOST = "slave"
_SERIES = VM_METRICS[1].measurement


def samples(cluster: Cluster) -> set[tuple[str, float, float]]:
    """Return the samples of the hosts' memory in InfluxDB: the node, the time and the value."""
    query = f'SELECT "value" FROM "{_SERIES}" WHERE time > now() - 1d GROUP BY "node"'
    return {(series.tags["node"], *row) for series in cluster.read("vms", query) for row in series.rows}


@pytest.fixture(scope="module")
def backed_up(cluster: Cluster) -> Iterator[Load]:
    """A load that has run. A backup that was made while it ran has all that it lists as acknowledged."""
    load = Load()
    cluster.set_secret("backup_password", "backup-Horse-battery")
    with cluster.configured(backup={"directory": DIRECTORY, "host": HOST, "every": "1d"}):
        cluster.up()
        with load.running(*urls(cluster)):
            cluster.eventually(lambda: len(load.acknowledged) > 200, shown=load.described, seconds=180)
            before = dict(load.acknowledged)
            run(cluster, "now")
        load.acknowledged = before
        yield load
    cluster.up()


def test_after_everything_is_lost_a_backup_made_under_load_has_every_file_and_metric(
    cluster: Cluster, backed_up: Load, record: Callable[[str], None]
) -> None:
    metrics = samples(cluster)
    cluster.upload("after the backup", os.urandom(900), through="master")
    expiring = {"ttl": "1d", "max-downloads": "3"}
    assert requests.put(f"{cluster.url('master')}/files/kept", params=expiring, data=b"content", timeout=60).ok
    described = requests.get(f"{cluster.url('master')}/files", params={"prefix": "kept"}, timeout=60).json()
    run(cluster, "now")

    delete_all(cluster)
    cluster.up()
    cluster.eventually(lambda: requests.get(f"{cluster.url('master')}/files", timeout=60).json() == [], seconds=60)
    record(f"restore: {run(cluster, 'restore')}")

    assert backed_up.lost(*urls(cluster)) == []
    assert requests.get(f"{cluster.url('slave')}/files", params={"prefix": "kept"}, timeout=60).json() == described
    assert len(metrics) > 10
    assert metrics <= samples(cluster)
    assert cluster.operation("backups", "restore").returncode == 1, "the cluster has files now"
    cluster.pulumi("preview", "--expect-no-changes")


def test_a_backup_of_the_cluster_is_restored_into_a_directory_which_has_backups_too(
    cluster: Cluster, backed_up: Load
) -> None:
    delete_all(cluster)
    with cluster.configured(file_service={"storage": "directory", "storage_host": HOST}):
        cluster.up()
        run(cluster, "restore")
        assert backed_up.lost(*urls(cluster)) == []

        run(cluster, "now")
        for name in backed_up.acknowledged:
            assert requests.delete(f"{cluster.url('master')}/files/{name}", timeout=60).ok
        name = next(iter(backed_up.acknowledged))
        run(cluster, "restore", "--file", name)
        run(cluster, "restore", "--keep-existing")
        assert backed_up.lost(*urls(cluster)) == []
        cluster.pulumi("preview", "--expect-no-changes")
        delete_all(cluster)
    cluster.up()
