"""Everything is lost but the backups: `pulumi up` and one command bring back every file and every metric."""

import os
from collections.abc import Callable

import requests
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


def test_after_everything_is_lost_a_backup_made_under_load_has_every_file_and_metric(
    cluster: Cluster, record: Callable[[str], None]
) -> None:
    load = Load()
    cluster.set_secret("backup_password", "backup-Horse-battery")
    cluster.configure(backup={"directory": DIRECTORY, "host": HOST, "every": "1d"})
    cluster.up()
    with load.running(*urls(cluster)):
        cluster.eventually(lambda: len(load.acknowledged) > 200, shown=load.described, seconds=180)
        before, metrics = dict(load.acknowledged), samples(cluster)
        made = cluster.operation("backups", "now")
    assert made.returncode == 0, made.stderr
    expiring = {"ttl": "1d", "max-downloads": "3"}
    cluster.upload("after the backup", os.urandom(900), through="master")
    assert requests.put(f"{cluster.url('master')}/files/kept", params=expiring, data=b"content", timeout=60).ok
    described = requests.get(f"{cluster.url('master')}/files", params={"prefix": "kept"}, timeout=60).json()
    assert cluster.operation("backups", "now").returncode == 0

    cluster.pulumi("destroy", "--yes", "--skip-preview")
    assert all("object-store" not in cluster.on(host, "docker volume ls -q") for host in ("master", HOST))
    cluster.up()
    cluster.eventually(lambda: requests.get(f"{cluster.url('master')}/files", timeout=60).json() == [], seconds=60)
    restored = cluster.operation("backups", "restore")

    assert restored.returncode == 0, restored.stderr
    record(f"restore: {restored.stdout.strip()}")
    load.acknowledged = before
    assert load.lost(*urls(cluster)) == []
    assert requests.get(f"{cluster.url('slave')}/files", params={"prefix": "kept"}, timeout=60).json() == described
    assert len(metrics) > 10
    assert metrics <= samples(cluster)
    assert cluster.operation("backups", "restore").returncode == 1, "the cluster has files now"
    cluster.pulumi("preview", "--expect-no-changes")
