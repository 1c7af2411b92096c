"""What tests of metrics read from the databases, and what they expect there."""

from cluster import Cluster

from monitoring import influxql
from monitoring.influxdb_client import Series
from monitoring.metrics import Metric

NODES = ("master", "slave")
GRID = 15
"""Seconds between two samples."""


def latest(cluster: Cluster, metric: Metric, minutes: int = 2) -> list[Series]:
    return cluster.read(metric.database, influxql.latest(metric, minutes))


def services(cluster: Cluster) -> set[str]:
    return set(cluster.on("master", "docker service ls --format '{{.Name}}'").split())
