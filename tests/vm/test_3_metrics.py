"""The metrics of both machines are in both InfluxDBs: of the machines in one, of the containers in the other."""

from cluster import Cluster

from lab import metrics


def test_all_eight_metrics_of_both_machines_are_in_the_databases(cluster: Cluster) -> None:
    table = metrics.wait_for_all(cluster.lab)

    print(f"\n{table}")
    assert all(host["name"] in table for host in cluster.hosts)
