"""The networks that hosts already have, and whether those of the cluster fit in beside them.

An overlay network sends its packets inside others between the hosts (VXLAN). If these are larger than what the hosts'
interfaces send, they are lost, and only large transfers show it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from .commands import POOL_PREFIX
from .probe import Interface, Probe

USUAL_MTU = 1500
"""The MTU of the hosts' interfaces that Docker assumes, in bytes. It leaves room for VXLAN's headers itself."""

DEFAULT_POOL = IPv4Network("10.0.0.0/8")
"""Docker's own default pool."""

_BRIDGE = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class NamedNetworks:
    """The networks that the settings name. `subnets` maps a setting to the overlay network's subnet.

    If they are `encrypted`, the hosts' kernels need IPsec. `pool` is what Docker takes the subnets of further networks
    from, if the settings name one, and `mtu` that of the hosts' interfaces.
    """

    private_cidr: IPv4Network
    subnets: Mapping[str, IPv4Network]
    encrypted: bool = True
    pool: IPv4Network | None = None
    mtu: int | None = None


def ingress(pool: IPv4Network | None) -> IPv4Network:
    """Return the subnet of Swarm's own network, which is the first that Docker takes from its pool."""
    return next((pool or DEFAULT_POOL).subnets(new_prefix=POOL_PREFIX))


def mtu(probes: Mapping[str, Probe], addresses: Mapping[str, str], networks: NamedNetworks) -> int:
    """Return the MTU for which overlay networks are made: the one that is set, else the smallest, but not over 1500.

    `addresses` maps a host's name to its address.
    """
    if networks.mtu is not None:
        return networks.mtu
    found = [_own(probe, addresses[name]) for name, probe in probes.items()]
    return min([USUAL_MTU, *(interface.mtu for interface in found if interface)])


def problems(
    probes: Mapping[str, Probe], addresses: Mapping[str, str], networks: NamedNetworks, *, first_manager: str
) -> list[str]:
    """Return one line for every host whose networks do not go with those of the settings."""
    lines = [line for name, probe in probes.items() for line in _of_host(name, probe, addresses[name], networks)]
    return [*lines, *_pool_of_swarm(first_manager, probes[first_manager], networks)]


def _of_host(name: str, probe: Probe, address: str, networks: NamedNetworks) -> Iterator[str]:
    if networks.encrypted and not probe.has_ipsec:
        yield (
            f"{name}: its kernel has no IPsec (ESP), which encrypted networks need: set network.encrypted to false, or "
            "boot a kernel with CONFIG_INET_ESP there"
        )
    if not probe.interfaces:
        return
    own = _own(probe, address)
    if own is None:
        yield (
            f"{name}: none of its interfaces has the address {address}: "
            "set the one that it has in the network between the hosts"
        )
        return
    if networks.mtu is not None and networks.mtu > own.mtu:
        yield (
            f'{name}: network.mtu: "{networks.mtu}" is more than the {own.mtu} of its interface {own.name}: '
            f"set {own.mtu} or less, or remove it"
        )
    for interface in probe.interfaces:
        taken = interface.address.network
        if interface.name == own.name or interface.address.ip.is_loopback:
            continue
        if _BRIDGE.fullmatch(interface.name) and taken.overlaps(networks.private_cidr):
            yield (
                f'{name}: its bridge {interface.name} ({taken}) overlaps private_cidr "{networks.private_cidr}": set '
                '"bip" (docker0) or "default-address-pools" in /etc/docker/daemon.json there, remove the bridge, and '
                "restart the Engine"
            )
        for setting, subnet in networks.subnets.items():
            if taken.overlaps(subnet):
                yield (
                    f'{name}: {setting}: "{subnet}" overlaps {taken} of its interface {interface.name}: '
                    "choose another subnet"
                )


def _pool_of_swarm(name: str, probe: Probe, networks: NamedNetworks) -> list[str]:
    """Return a line if the swarm exists and was created with another pool than the one that is set."""
    cluster = probe.swarm.get("Cluster")
    pools: Sequence[str] = (cluster.get("DefaultAddrPool") or []) if isinstance(cluster, Mapping) else []
    if networks.pool is None or not pools or pools == [str(networks.pool)]:
        return []
    present = ", ".join(pools)
    reason = f"is not the pool with which the swarm was created ({present}) and which cannot change"
    return [f'{name}: network.pool: "{networks.pool}" {reason}: set that one, or destroy the stack first']


def _own(probe: Probe, address: str) -> Interface | None:
    """Return the host's interface with the address that the settings name."""
    return next((each for each in probe.interfaces if each.address.ip == IPv4Address(address)), None)
