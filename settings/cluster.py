"""What the settings mean for the cluster: its published ports, and how many tasks it runs."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from components import data_hosts, etcd_member, patroni, seaweedfs
from components.quorum import voters

if TYPE_CHECKING:
    from settings.models import Settings  # which checks the ports below

DATABASE_PORTS = {"vms": 8086, "containers": 8087}
"""The two InfluxDB databases, and the host's port of each where it is published."""

PUBLISHED_PORTS = {
    **{f"influxdb-{database}": port for database, port in DATABASE_PORTS.items()},
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "edge": 8405,
}
"""What can be published, and the hosts' port of each."""


def expected_tasks(settings: "Settings", holders: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Return how many tasks each service is to have, by its name: alerts compare what runs with this.

    `holders` are the names of the hosts of each kind of data.
    """
    nodes = len(settings.hosts)
    return {
        "files": settings.file_service.replicas,
        **_storage_tasks(settings, holders),
        **dict.fromkeys(("edge", "node-exporter", "cadvisor"), nodes),
        "docker-api": len(settings.managers),
        **dict.fromkeys((f"influxdb-{database}" for database in DATABASE_PORTS), 1),
        **dict.fromkeys(("alertmanager", "prometheus"), 1),
        **({"grafana": 1} if settings.monitoring.grafana else {}),
    }


def _storage_tasks(settings: "Settings", holders: Mapping[str, Collection[str]]) -> dict[str, int]:
    if settings.file_service.storage == "directory":
        return {}
    voting = voters([host.name for host in settings.managers])
    index = {
        **{etcd_member.service_name(host): 1 for host in voting},
        **{patroni.service_name(host): 1 for host in holders[data_hosts.INDEX]},
    }
    if settings.file_service.storage == "s3":
        return index
    masters = {seaweedfs.master_name(host): 1 for host in voting}
    return {**index, **masters, seaweedfs.VOLUME_SERVER: len(settings.hosts)}
