"""A firewall on every host, which lets only hosts of the cluster reach the ports of Docker."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pulumi
from pulumi_command.local import Command

from . import commands
from .firewall_rules import firewall_rules
from .host import Host
from .image import ServiceImage, ServiceImageArgs
from .registry import Registry, engine_login


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`hosts` are all hosts of the cluster, and `gone` the addresses of those that are gone.

    `ports` are the TCP ports that everybody reaches on every host. `context` is the folder with the Dockerfile, and
    `debian_image` the base of the image. With a `registry`, the image is built once and pushed there.
    """

    hosts: Sequence[Host]
    ports: Sequence[int]
    context: Path
    debian_image: str
    gone: Sequence[str] = ()
    registry: Registry | None = None


class Firewall(pulumi.ComponentResource):
    """Builds the image, and runs a container on every host that loads the rules whenever the host's Engine starts.

    It never closes the port of the ssh connection over which it is set up. It leaves Docker's own rules alone, and so
    the ports that Docker forwards to containers.
    """

    loaded: list[Command]
    """The command of each host. A host may join the swarm when all of them have run: every host lets it in then."""

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:firewall:Firewall", name, {}, opts)
        image = ServiceImage(
            f"{name}-image",
            ServiceImageArgs(
                registry=args.registry,
                repository="swarm-transfer/firewall",
                context=args.context,
                hosts=args.hosts,
                build_args={"DEBIAN_IMAGE": args.debian_image},
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # An address is an output if the program creates the machine.
        rules = pulumi.Output.all(*(host.cluster_address for host in args.hosts)).apply(
            lambda addresses: firewall_rules(hosts=map(IPv4Address, addresses), ports=args.ports)
        )
        self.loaded = [self._load(host, args, image.reference, rules) for host in args.hosts]
        self.register_outputs({})

    def _load(self, host: Host, args: FirewallArgs, image: pulumi.Output[str], rules: pulumi.Output[str]) -> Command:
        def load(known: list[str]) -> str:
            reference, text = known
            return commands.load_firewall(host=host.target.name, image=reference, rules=text, gone=args.gone)

        return host.command(
            f"{host.target.name}-firewall",
            parent=self,
            create=pulumi.Output.all(image, rules).apply(load),
            delete=image.apply(lambda reference: commands.remove_firewall(image=reference)),
            replaced_after_deletion=True,  # or the deletion would remove the container of the replacement
            stdin=engine_login(args.registry) if args.registry else None,
        )
