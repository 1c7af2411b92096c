"""What the settings mean for the cluster: its published ports, and how many tasks it runs."""

from typing import TYPE_CHECKING

from components import seaweedfs

if TYPE_CHECKING:
    from settings.models import Settings  # which checks the ports below

DATABASE_PORTS = {"vms": 8086, "containers": 8087}
"""The two InfluxDB databases, and the host's port of each where it is published."""

PUBLISHED_PORTS = {
    **{f"influxdb-{database}": port for database, port in DATABASE_PORTS.items()},
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
}
"""What can be published, and the hosts' port of each."""


def expected_tasks(settings: "Settings") -> dict[str, int]:
    """How many tasks each service is to have, by its name: alerts compare what runs with this."""
    nodes = len(settings.hosts)
    return {
        "files": settings.file_service.replicas,
        **_object_store_tasks(settings),
        **dict.fromkeys(("edge", "node-exporter", "cadvisor"), nodes),
        "docker-api": len(settings.managers),
        **dict.fromkeys((f"influxdb-{database}" for database in DATABASE_PORTS), 1),
        **dict.fromkeys(("alertmanager", "prometheus"), 1),
        **({"grafana": 1} if settings.monitoring.grafana else {}),
    }


def _object_store_tasks(settings: "Settings") -> dict[str, int]:
    if settings.file_service.storage != "cluster":
        return {}
    masters = seaweedfs.masters([host.name for host in settings.managers])
    return {
        seaweedfs.GATEWAY: 1,
        seaweedfs.VOLUME_SERVER: len(settings.hosts),
        **dict.fromkeys((seaweedfs.master_name(host) for host in masters), 1),
    }
