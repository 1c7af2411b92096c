"""The firewall of the hosts, if the settings want one."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components.firewall import Firewall, FirewallArgs
from components.host import Host
from components.registry import Registry
from settings import Settings
from settings.topology import Topology


def create_firewall(
    settings: Settings, topology: Topology, hosts: Sequence[Host], registry: Registry | None
) -> Sequence[pulumi.Resource]:
    """Create the firewalls, and return what must exist before a host joins the swarm: nothing, if there are none."""
    if settings.firewall is None:
        return []
    published = {port for service in topology.services.values() for port in service.ports}
    firewall = Firewall(
        "firewall",
        FirewallArgs(
            hosts=hosts,
            gone=[str(host.address) for host in settings.gone_hosts],
            ports=sorted(published | settings.firewall.ports),
            context=Path("services/firewall"),  # relative, so that Pulumi's state is the same in every checkout
            debian_image=settings.images.debian,
            registry=registry,
        ),
    )
    return firewall.loaded
