"""A read-only part of each node's Docker API, from which cAdvisor on the same node learns what its containers are."""

from dataclasses import dataclass

import pulumi

from . import engine_filter, users
from .mounts import CONTAINERD_SOCKET
from .overlay import OverlayNetwork
from .swarm import SwarmCluster

VOLUME = "container-api"
"""The volume on every node in which the API's socket is. It holds nothing else."""

FOLDER = "/run/container-api"
"""The path of the volume in both services."""

SOCKET = f"{FOLDER}/docker.sock"

FILTERED_CONTAINERD = f"{FOLDER}/containerd.sock"
"""The socket at which containerd answers cAdvisor."""

_HEALTH_PORT = 2375
# What cAdvisor asks for (google/cadvisor, container/docker). It inspects containers by their whole ids, and never asks
# for their sizes, for which the Engine would read their files.
_REQUESTS = "_ping|info|version|containers/[0-9a-f]{64}/json"
# If the Engine keeps images in containerd's store, cAdvisor also asks containerd for a container's root file system, by
# this one method. Docker's containers are in the namespace "moby". A cAdvisor that could ask for containerd's version
# too would take the containers for containerd's own, without the labels that Docker gives them.
_CONTAINERD_METHOD = "/containerd.services.containers.v1.Containers/Get"
_CONTAINERD_NAMESPACE = "moby"


@dataclass(frozen=True, kw_only=True)
class ContainerApiArgs:
    """`network` should be internal. Nothing is offered on it."""

    cluster: SwarmCluster
    network: OverlayNetwork
    image: str


class ContainerApi(pulumi.ComponentResource):
    """Runs HAProxy in front of every node's Docker socket. It allows containers to be inspected, and nothing else.

    It listens on a socket in a volume, which cAdvisor mounts too. So each cAdvisor asks its own node's Engine, and
    nothing on any network can ask. Another socket beside it does the same for containerd.
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
            sockets=[engine_filter.SOCKET, CONTAINERD_SOCKET],
            volumes={VOLUME: FOLDER},
            update_order="stop-first",  # the sockets' paths can have one owner only
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})


def haproxy_config() -> str:
    """Return HAProxy's configuration. The port on the loopback address is for the health check."""
    engine = engine_filter.haproxy_config(binds=[f"{SOCKET} mode 600"], requests=_REQUESTS)
    return f"""{engine}
# gRPC is HTTP/2 with a path for each method.
frontend containerd-api
  bind {FILTERED_CONTAINERD} mode 600 proto h2
  http-request return status 403 if !{{ method POST }} or !{{ pathq -m str {_CONTAINERD_METHOD} }}
  http-request set-header containerd-namespace {_CONTAINERD_NAMESPACE}
  default_backend containerd

backend containerd
  server containerd {CONTAINERD_SOCKET} proto h2 check inter 1s fall 2 rise 1

# A containerd that starts anew makes a new socket, and only a new task mounts that one.
frontend health
  bind 127.0.0.1:{_HEALTH_PORT}
  http-request return status 403 if !{{ pathq -m str /_ping }}
  http-request return status 503 if {{ nbsrv(containerd) eq 0 }}
  default_backend engine
"""
