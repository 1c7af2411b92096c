"""The ports that the cluster publishes on its hosts, and who else holds them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from components.data_hosts import MONITORING
from components.probe import Probe


@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """A TCP port that a Swarm service of ours holds: on every host, or on the one that holds this kind of data.

    `alternative` is what the user can do to use another port, or none.
    """

    number: int
    service: str
    setting: str
    alternative: str
    beside: str | None = None


def published(*, edge: int, consoles: Mapping[str, int], databases: Mapping[str, int]) -> list[PublishedPort]:
    """The edge's port, the consoles that it publishes, and the databases that publish themselves, by service."""
    return [
        PublishedPort(number=edge, service="edge", setting="edge_port", alternative="set another edge_port"),
        *(
            PublishedPort(
                number=port,
                service="edge",
                setting="monitoring.publish",
                alternative=f"take {console} off monitoring.publish",
            )
            for console, port in consoles.items()
        ),
        *(
            PublishedPort(
                number=port,
                service=database,
                setting="monitoring.publish",
                alternative="take influxdb off monitoring.publish",
                beside=MONITORING,
            )
            for database, port in databases.items()
        ),
    ]


def taken(ports: Iterable[PublishedPort], probes: Mapping[str, Probe], data_hosts: Mapping[str, str]) -> list[str]:
    """One line for every port that is held on a host by anything but the service that publishes it."""
    return [
        f"{name}: port {port.number} ({port.setting}) is held by {holder}: stop it, or {port.alternative}"
        for name, probe in probes.items()
        for port in ports
        if port.beside is None or data_hosts[port.beside] == name
        if (holder := _holder(port, probe))
    ]


def _holder(port: PublishedPort, probe: Probe) -> str | None:
    """Who else holds the port, if anybody does."""
    containers = [container for container in probe.containers if port.number in container.ports]
    for container in containers:
        if container.service != port.service:
            return f'the container "{container.name}"'
    if not containers and port.number in probe.listening:
        return f"a process that publishes no container's port (`sudo ss -ltnp sport = :{port.number}` there names it)"
    return None
