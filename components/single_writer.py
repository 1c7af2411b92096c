"""A service whose data only one task at a time may write."""

from dataclasses import replace

import pulumi

from .host import Host
from .swarm_service import SwarmService, SwarmServiceArgs
from .volume import OwnedVolume, OwnedVolumeArgs


def single_writer_service(
    name: str, args: SwarmServiceArgs, *, host: Host, data: str, parent: pulumi.Resource, volume: str = ""
) -> SwarmService:
    """Run one task of the service, always on this host, and never two at once: they would corrupt the data.

    The data is in a volume at the path `data`, which the service's user owns. The volume has the service's name unless
    `volume` is given. Volume and service are children of `parent`.
    """
    volume = volume or name
    child = pulumi.ResourceOptions(parent=parent)
    owner = int(args.user.partition(":")[0])
    owned = OwnedVolume(
        f"{name}-data", OwnedVolumeArgs(cluster=args.cluster, host=host, name=volume, owner=owner), opts=child
    )
    return SwarmService(
        name,
        replace(
            args,
            replicas=1,
            volumes={volume: data, **args.volumes},
            constraints=[host.constraint],
            update_order="stop-first",
            after=[*args.after, owned],
        ),
        opts=child,
    )
