"""A volume on one host that a service's user may write to."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.commands import own_volume
from components.host import Host
from components.swarm import SwarmCluster


@dataclass(frozen=True, kw_only=True)
class OwnedVolumeArgs:
    """The volume's `name` on its host, and the user and group (by number) that own it; `image` must have a `chown`."""

    cluster: SwarmCluster
    host: Host
    name: str
    owner: int
    image: str


class OwnedVolume(pulumi.ComponentResource):
    """A new volume belongs to root, or to whom an image's own folder does: this one belongs to its service's user.

    It outlives every change of the service: only `pulumi destroy`, or another host for it, takes its data away.
    The host is part of the resources' names: Pulumi moves a resource whose provider changes from one host to another in
    its state only, and would forget the volume on the first host.
    """

    def __init__(self, name: str, args: OwnedVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:volume:OwnedVolume", name, {}, opts)
        placed = f"{name}-on-{args.host.target.name}"
        volume = docker.Volume(
            placed,
            name=args.name,
            opts=pulumi.ResourceOptions(parent=self, provider=args.host.provider, depends_on=args.cluster.nodes),
        )
        args.host.command(
            f"{placed}-owner",
            parent=self,
            create=own_volume(volume=args.name, owner=args.owner, image=args.image),
            after=[volume],
        )
        self.register_outputs({})
