"""The services that collect metrics, keep them, and alert."""

from collections.abc import Iterator

from components import influxdb, prometheus
from settings.models import Settings
from settings.topology.networks import API_NET, CLUSTER_NET, METRICS_NET, OUTSIDE_NET, networks
from settings.topology.ports import DATABASE_PORTS
from settings.topology.service import Service, service_with_data


def monitoring_services(settings: Settings, *, host: str) -> Iterator[Service]:
    """Yield the monitoring services; those with data are on this host."""
    everywhere = [each.name for each in settings.present_hosts]
    managers = [manager.name for manager in settings.managers]
    for name, network in (("node-exporter", METRICS_NET), ("cadvisor", METRICS_NET), ("container-api", API_NET)):
        yield Service(name=name, tasks=len(everywhere), hosts=everywhere, networks=[network])
    yield Service(name="docker-api", tasks=len(managers), hosts=managers, networks=[API_NET])
    for database in map(influxdb.service_name, DATABASE_PORTS):
        yield service_with_data(database, host, networks=[CLUSTER_NET])
    yield service_with_data("alertmanager", host, networks=[CLUSTER_NET])
    scraped = [network.name for network in networks(settings) if network.name != OUTSIDE_NET]
    yield service_with_data("prometheus", host, networks=scraped, volume=prometheus.data_volume("prometheus"))
    if settings.monitoring.grafana:
        yield Service(name="grafana", tasks=1, hosts=[host], networks=[CLUSTER_NET])
