"""Checks that the networks in the settings do not overlap, and that each has enough addresses."""

import itertools
from collections.abc import Mapping
from ipaddress import IPv4Network

from components import host_networks
from components.commands import POOL_PREFIX
from settings import topology
from settings.models import Settings

_RESERVED = 3
"""Addresses of a subnet that no task gets: the network's own, its gateway's, and the broadcast address."""


def check(settings: Settings) -> None:
    """Check the networks of the settings.

    Raises:
        ValueError: two of them overlap, or one is too small; with the setting, its value and the remedy.
    """
    wanted = topology.named_networks(settings)
    if wanted.pool is not None and wanted.pool.prefixlen > POOL_PREFIX:
        raise ValueError(
            f'network.pool: "{wanted.pool}" is smaller than one network of Docker\'s, a /{POOL_PREFIX}: '
            "choose a larger pool"
        )
    _check_overlaps(wanted)
    _check_sizes(settings, wanted.subnets)


def _check_overlaps(wanted: host_networks.NamedNetworks) -> None:
    for setting, subnet in wanted.subnets.items():
        if wanted.private_cidr.overlaps(subnet):
            raise ValueError(
                f'{setting}: "{subnet}" overlaps private_cidr "{wanted.private_cidr}": choose another subnet'
            )
    for (first, one), (second, other) in itertools.combinations(wanted.subnets.items(), 2):
        if one.overlaps(other):
            raise ValueError(f'{second}: "{other}" overlaps {first}: choose another subnet')
    ingress = host_networks.ingress(wanted.pool)
    taken = wanted.pool or ingress
    if taken.overlaps(wanted.private_cidr):
        raise ValueError(
            f'network.pool: "{taken}", from which Docker takes the subnets of its own networks, overlaps private_cidr '
            f'"{wanted.private_cidr}": set network.pool to a private network that is free'
        )
    for setting, subnet in wanted.subnets.items():
        if ingress.overlaps(subnet):
            raise ValueError(
                f'{setting}: "{subnet}" overlaps "{ingress}", which Docker takes for its own network: choose another '
                "subnet, or set network.pool"
            )


def _check_sizes(settings: Settings, subnets: Mapping[str, IPv4Network]) -> None:
    """Check the number of addresses: each task takes one, each network one on every host, and updates some more."""
    planned = topology.describe(settings, topology.new_data(settings))
    for network in planned.networks:
        services = [service for service in planned.services.values() if network.name in service.networks]
        needed = sum(service.tasks + 1 for service in services) + len(settings.present_hosts) + _RESERVED
        if needed > network.subnet.num_addresses:
            setting = next(name for name, subnet in subnets.items() if subnet == network.subnet)
            raise ValueError(
                f'{setting}: "{network.subnet}" has {network.subnet.num_addresses} addresses, and the tasks on '
                f"{len(settings.present_hosts)} hosts need {needed}: choose a subnet of "
                f"/{32 - (needed - 1).bit_length()} or larger"
            )
