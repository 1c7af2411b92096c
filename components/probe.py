"""The probe of a host: a script that prints its state, and the parsed output."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface

from .commands import CLUSTER_LABEL, HOLDS_LABEL, HOST_LABEL, STORAGE_LABEL
from .mounts import CONTAINERD_SOCKET
from .shell import render

SCRIPT = render(
    "probe",
    CLUSTER_LABEL=CLUSTER_LABEL,
    HOST_LABEL=HOST_LABEL,
    HOLDS_LABEL=HOLDS_LABEL,
    STORAGE_LABEL=STORAGE_LABEL,
    CONTAINERD_SOCKET=CONTAINERD_SOCKET,
)
"""Prints Docker's swarm state as JSON, then one line per thing found: its kind and its fields, separated by "|"."""

_PUBLISHED = re.compile(r":(\d+)(?:-(\d+))?->[\d-]+/tcp")


@dataclass(frozen=True, kw_only=True)
class Container:
    """A running container, the Swarm service of its task if it is one, and the host's TCP ports that it holds."""

    name: str
    service: str
    ports: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A network interface, its address with the network's prefix, and the largest packet that it sends, in bytes."""

    name: str
    address: IPv4Interface
    mtu: int


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node of the swarm, its host's name in the configuration, and the kinds of data on it by its label."""

    id: str
    host: str
    holds: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One host's state. `swarm` is Docker's swarm state, and `stack` the name of the stack that created the swarm.

    Only a manager knows `stack`, where its files are stored (`storage`), and `nodes`. `platform` is the Engine's own,
    such as "linux/arm64". `listening` are the TCP ports that have a listener on any address. A host without the program
    `ip` reports no `interfaces`. `has_ipsec` is false if the kernel is known to have no IPsec (ESP). `startups` is how
    many logins may be unfinished before the host's ssh server refuses some.
    """

    swarm: Mapping[str, object]
    platform: str = ""
    stack: str = ""
    storage: str = ""
    nodes: tuple[Node, ...] = ()
    volumes: frozenset[str] = field(default_factory=frozenset)
    containers: tuple[Container, ...] = ()
    listening: frozenset[int] = field(default_factory=frozenset)
    interfaces: tuple[Interface, ...] = ()
    has_ipsec: bool = True
    startups: int | None = None

    @property
    def is_manager(self) -> bool:
        """Whether the host is a manager of some swarm."""
        return bool(self.swarm.get("ControlAvailable"))


def parse(answer: str) -> Probe:
    """Parse the script's output."""
    swarm, *lines = answer.splitlines()
    found: dict[str, list[list[str]]] = {}
    for line in lines:
        kind, *fields = line.split("|", 3)
        found.setdefault(kind, []).append(fields)
    return Probe(
        swarm=json.loads(swarm),
        platform="".join(platform for (platform,) in found.get("platform", [])),
        stack="".join(name for (name,) in found.get("stack", [])),
        storage="".join(place for (place,) in found.get("storage", [])),
        nodes=tuple(
            Node(id=identifier, host=host, holds=frozenset(filter(None, holds.split(","))))
            for identifier, host, holds in found.get("node", [])
        ),
        volumes=frozenset(name for name, *_ in found.get("volume", [])),
        containers=tuple(
            Container(name=name, service=service, ports=frozenset(_published(ports)))
            for name, service, ports in found.get("container", [])
        ),
        listening=frozenset(int(port, 16) for (port,) in found.get("listening", [])),
        has_ipsec=["no"] not in found.get("ipsec", []),
        startups=next((int(number) for (number,) in found.get("startups", [])), None),
        interfaces=tuple(
            Interface(name=name, address=IPv4Interface(address), mtu=int(mtu))
            for name, address, mtu in found.get("interface", [])
        ),
    )


def _published(ports: str) -> Iterator[int]:
    """Yield the host's TCP ports in a text such as "0.0.0.0:8086-8087->8086-8087/tcp, [::]:53->53/udp"."""
    for first, last in _PUBLISHED.findall(ports):
        yield from range(int(first), int(last or first) + 1)
