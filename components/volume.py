"""A volume on one host to which a service's user may write."""

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from .commands import chown_volume, delete_volume
from .host import Host
from .swarm import SwarmCluster


@dataclass(frozen=True, kw_only=True)
class OwnedVolumeArgs:
    """`name` is the volume's name in Docker, `owner` the number of the user and group that own it."""

    cluster: SwarmCluster
    host: Host
    name: str
    owner: int


class OwnedVolume(pulumi.ComponentResource):
    """Creates a volume and makes its service's user the owner; Docker would leave it to root or to the image's owner.

    A change of the service never deletes the volume. Only `pulumi destroy`, or another host for it, deletes its data.
    The host is part of the resources' names. Pulumi moves a resource whose provider changes in its state only: it would
    forget the volume on the first host.
    """

    def __init__(self, name: str, args: OwnedVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:volume:OwnedVolume", name, {}, opts)
        placed = f"{name}-on-{args.host.target.name}"
        # The command deletes it, since a command on a host that is gone ends at once. The provider would not.
        volume = docker.Volume(
            placed,
            name=args.name,
            opts=pulumi.ResourceOptions(
                parent=self, provider=args.host.provider, depends_on=args.cluster.nodes, retain_on_delete=True
            ),
        )
        args.host.command(
            f"{placed}-owner",
            parent=self,
            create=chown_volume(volume=args.name, owner=args.owner, image=args.cluster.volume_image),
            delete=delete_volume(volume=args.name),
            after=[volume],
        )
        self.register_outputs({})
