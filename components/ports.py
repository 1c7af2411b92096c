"""The ports that the cluster publishes on its hosts, and what else already holds them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .probe import Probe


@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """A TCP port that one of our Swarm services publishes on every host.

    `alternative` tells the user how to publish another port or none.
    """

    number: int
    service: str
    setting: str
    alternative: str


def taken_ports(ports: Iterable[PublishedPort], probes: Mapping[str, Probe]) -> list[str]:
    """Return one line for every port that is already in use on a host, unless its own service uses it."""
    return [
        f"{name}: port {port.number} ({port.setting}) is held by {holder}: stop it, or {port.alternative}"
        for name, probe in probes.items()
        for port in ports
        if (holder := _holder(port, probe))
    ]


def _holder(port: PublishedPort, probe: Probe) -> str | None:
    """Return what else holds the port, or None."""
    containers = [container for container in probe.containers if port.number in container.ports]
    for container in containers:
        if container.service != port.service:
            return f'the container "{container.name}"'
    if not containers and port.number in probe.listening:
        return f"a process that publishes no container's port (`sudo ss -ltnp sport = :{port.number}` there names it)"
    return None
