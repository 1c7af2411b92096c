"""One service of the topology."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Service:
    """One Swarm service: how many tasks it is to have, and the names of the hosts where they may run.

    `networks` are the names of its networks, and `volumes` the volumes with its data. `ports` maps a port of its hosts
    to the one on which a task listens.
    """

    name: str
    tasks: int
    hosts: Sequence[str]
    networks: Sequence[str]
    volumes: frozenset[str] = frozenset()
    ports: Mapping[int, int] = field(default_factory=dict)


def service_with_data(
    name: str,
    host: str,
    *,
    networks: Sequence[str],
    tasks: int = 1,
    volume: str = "",
) -> Service:
    """Return a service that runs only where its data is, in a volume with its name unless another is given."""
    return Service(name=name, tasks=tasks, hosts=[host], networks=networks, volumes=frozenset({volume or name}))
