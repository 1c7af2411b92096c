"""The ports that are published on the hosts."""

from collections.abc import Iterator

from components import alertmanager, grafana, influxdb, monitoring, prometheus
from components.data_hosts import MONITORING
from components.ports import PublishedPort
from settings.models import Settings

DATABASE_PORTS = {monitoring.VMS: 8086, monitoring.CONTAINERS: 8087}
"""The host's port of each InfluxDB database where it is published."""

_CONSOLES = {"prometheus": prometheus.PORT, "alertmanager": alertmanager.PORT, "grafana": grafana.PORT}
"""The services with pages for the operator. If one is published, it is on every host at its own port."""

_STATISTICS = {"edge": 8405}
"""The port of the edge's own statistics, if they are published."""


def consoles(settings: Settings) -> dict[int, str]:
    """Return the published consoles: a port of every host, and the "SERVICE:PORT" that the edge shows there."""
    return {port: f"{name}:{port}" for name, port in _CONSOLES.items() if name in settings.monitoring.publish}


def statistics_port(settings: Settings) -> int | None:
    """Return the port of the edge's own statistics, or None if they are not published."""
    return _STATISTICS["edge"] if "edge" in settings.monitoring.publish else None


def monitoring_ports(settings: Settings) -> dict[str, int]:
    """Return the hosts' ports of the monitoring services that are published, by the service's name."""
    published = settings.monitoring.publish
    databases = {influxdb.service_name(database): port for database, port in DATABASE_PORTS.items()}
    return {
        **{name: port for name, port in {**_CONSOLES, **_STATISTICS}.items() if name in published},
        **(databases if "influxdb" in published else {}),
    }


def published_ports(settings: Settings) -> Iterator[PublishedPort]:
    """Yield every port that is published on a host."""
    edge = settings.edge_port
    yield PublishedPort(
        number=edge, target=edge, service="edge", setting="edge_port", alternative="set another edge_port"
    )
    for name, port in monitoring_ports(settings).items():
        by_edge = name in _CONSOLES or name in _STATISTICS
        yield PublishedPort(
            number=port,
            target=port if by_edge else influxdb.PORT,
            service="edge" if by_edge else name,
            setting="monitoring.publish",
            alternative=f"remove {name if by_edge else 'influxdb'} from monitoring.publish",
            data_kind=None if by_edge else MONITORING,
        )


def ports_of(service: str, settings: Settings) -> dict[int, int]:
    """Return the ports that the service publishes: a port of its hosts, and the one on which a task listens."""
    return {port.number: port.target for port in published_ports(settings) if port.service == service}
