"""A read-only part of each node's Docker API, from which cAdvisor on the same node learns what its containers are."""

from dataclasses import dataclass

import pulumi

from . import engine_filter, users
from .overlay import OverlayNetwork
from .swarm import SwarmCluster

VOLUME = "container-api"
"""The volume on every node in which the API's socket is. It holds nothing else."""

FOLDER = "/run/container-api"
"""The path of the volume in both services."""

SOCKET = f"{FOLDER}/docker.sock"

_HEALTH_PORT = 2375
# What cAdvisor asks for (google/cadvisor, container/docker). It inspects containers by their whole ids, and never asks
# for their sizes, for which the Engine would read their files.
_REQUESTS = "_ping|info|version|containers/[0-9a-f]{64}/json"


@dataclass(frozen=True, kw_only=True)
class ContainerApiArgs:
    """`network` should be internal. Nothing is offered on it."""

    cluster: SwarmCluster
    network: OverlayNetwork
    image: str


class ContainerApi(pulumi.ComponentResource):
    """Runs HAProxy in front of every node's Docker socket. It allows containers to be inspected, and nothing else.

    It listens on a socket in a volume, which cAdvisor mounts too. So each cAdvisor asks its own node's Engine, and
    nothing on any network can ask.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: ContainerApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:container_api:ContainerApi", name, {}, opts)
        service = engine_filter.create_filter(
            name,
            parent=self,
            cluster=args.cluster,
            network=args.network,
            image=args.image,
            group=users.CONTAINER_API_GROUP,
            config=haproxy_config(),
            port=_HEALTH_PORT,
            volumes={VOLUME: FOLDER},
            update_order="stop-first",  # the socket's path can have one owner only
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})


def haproxy_config(socket: str = SOCKET) -> str:
    """Return HAProxy's configuration. The port on the loopback address is for the health check."""
    return engine_filter.haproxy_config(binds=[f"{socket} mode 600", f"127.0.0.1:{_HEALTH_PORT}"], requests=_REQUESTS)
