"""The ports that are published on the hosts."""

from collections.abc import Iterator

from components import alertmanager, grafana, influxdb, monitoring, prometheus
from components.ports import PublishedPort
from settings.models import Settings

DATABASE_PORTS = {monitoring.VMS: 8086, monitoring.CONTAINERS: 8087}
"""The port of each InfluxDB database, on every host, if they are published."""

_CONSOLES = {"prometheus": prometheus.PORT, "alertmanager": alertmanager.PORT, "grafana": grafana.PORT}
"""The services with pages for the operator. If one is published, it is on every host at its own port."""

_STATISTICS = {"edge": 8405}
"""The port of the edge's own statistics, if they are published."""


def consoles(settings: Settings) -> dict[int, str]:
    """Return the published consoles: a port of every host, and the "SERVICE:PORT" that the edge shows there."""
    return {port: f"{name}:{port}" for name, port in _CONSOLES.items() if name in settings.monitoring.publish}


def databases(settings: Settings) -> dict[int, str]:
    """Return the published databases: a port of every host, and the "SERVICE:PORT" behind it."""
    if "influxdb" not in settings.monitoring.publish:
        return {}
    return {port: f"{influxdb.service_name(name)}:{influxdb.PORT}" for name, port in DATABASE_PORTS.items()}


def statistics_port(settings: Settings) -> int | None:
    """Return the port of the edge's own statistics, or None if they are not published."""
    return _STATISTICS["edge"] if "edge" in settings.monitoring.publish else None


def monitoring_ports(settings: Settings) -> dict[str, int]:
    """Return the hosts' ports of the monitoring services that are published, by the service's name."""
    return {
        **{name: port for name, port in {**_CONSOLES, **_STATISTICS}.items() if name in settings.monitoring.publish},
        **{target.partition(":")[0]: port for port, target in databases(settings).items()},
    }


def published_ports(settings: Settings) -> Iterator[PublishedPort]:
    """Yield every port that is published on a host. The edge has all of them."""
    edge = settings.edge_port
    yield PublishedPort(number=edge, service="edge", setting="edge_port", alternative="set another edge_port")
    for name, port in monitoring_ports(settings).items():
        published = name if name in settings.monitoring.publish else "influxdb"
        yield PublishedPort(
            number=port,
            service="edge",
            setting="monitoring.publish",
            alternative=f"remove {published} from monitoring.publish",
        )
