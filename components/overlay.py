"""An overlay network that spans the swarm's nodes."""

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_docker as docker

from .host_networks import USUAL_MTU
from .swarm import SwarmCluster

_FIRST_NUMBER, _NUMBERS = 4096, 2**24
_SMALLEST_SUBNET = 32


@dataclass(frozen=True, kw_only=True)
class OverlayNetworkArgs:
    """`name` is the network's name in Docker. An `internal` network has no route to the outside.

    `mtu` is that of the interfaces between the hosts, in bytes. An `encrypted` network needs IPsec in their kernels.
    """

    cluster: SwarmCluster
    name: str
    subnet: IPv4Network
    mtu: int = USUAL_MTU
    encrypted: bool = True
    internal: bool = False


class OverlayNetwork(pulumi.ComponentResource):
    """Creates an overlay network for services only: containers started by hand cannot attach to it."""

    network_id: pulumi.Output[str]

    def __init__(self, name: str, args: OverlayNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:overlay:OverlayNetwork", name, {}, opts)
        network = docker.Network(
            name,
            name=args.name,
            driver="overlay",
            options=_options(args) or None,
            internal=args.internal or None,
            # Without a gateway here, a refresh reads the engine's own choice and Pulumi wants to replace the network.
            ipam_configs=[
                docker.NetworkIpamConfigArgs(subnet=str(args.subnet), gateway=str(args.subnet.network_address + 1))
            ],
            opts=args.cluster.on_manager(self, fixed_name=True),
        )
        self.network_id = network.id
        self.register_outputs({"network_id": self.network_id})


def _options(args: OverlayNetworkArgs) -> dict[str, str]:
    """Return the driver's options. A network with the usual MTU has none for it, because a new option replaces it.

    If there are any, the VXLAN number is one of them. Swarm would choose one and add it to the options, and as it would
    not be among ours, the provider would want to replace the network on every `pulumi up`, with all services on it.
    """
    options = {"encrypted": ""} if args.encrypted else {}
    if args.mtu != USUAL_MTU:
        options["com.docker.network.driver.mtu"] = str(args.mtu)
    return options and {**options, "com.docker.network.driver.overlay.vxlanid_list": str(vxlan_number(args.subnet))}


def vxlan_number(subnet: IPv4Network) -> int:
    """Return a number for the network's packets between hosts, from 4096 to 2**24 - 1.

    It follows from the subnet, since no two networks of a swarm have overlapping ones. Subnets have at least 32
    addresses. Swarm counts the numbers that it chooses itself from 4096.
    """
    return _FIRST_NUMBER + (int(subnet.network_address) // _SMALLEST_SUBNET) % (_NUMBERS - _FIRST_NUMBER)
