"""A read-only part of the Docker API, from which Prometheus discovers the cluster's nodes and tasks."""

from dataclasses import dataclass

import pulumi

from . import engine_filter, users
from .endpoint import Endpoint
from .overlay import OverlayNetwork
from .swarm import SwarmCluster

PORT = 2375

_LISTS = ("_ping", "networks", "nodes", "services", "tasks")


@dataclass(frozen=True, kw_only=True)
class DockerApiArgs:
    """`network` should be internal, with Prometheus as the only other service on it."""

    cluster: SwarmCluster
    network: OverlayNetwork
    image: str


class DockerApi(pulumi.ComponentResource):
    """Runs HAProxy in front of the Docker socket of every manager. It allows a few lists to be read, and nothing else.

    Whoever can use the socket itself is root on the host. These lists name the services and reveal no secrets.
    """

    ready: pulumi.Output[str]
    endpoint: Endpoint

    def __init__(self, name: str, args: DockerApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:docker_api:DockerApi", name, {}, opts)
        service = engine_filter.create_filter(
            name,
            parent=self,
            cluster=args.cluster,
            network=args.network,
            image=args.image,
            group=users.DOCKER_API_GROUP,
            config=haproxy_config(),
            port=PORT,
            constraints=["node.role==manager"],
        )
        self.ready = service.ready
        self.endpoint = Endpoint(service=name, port=PORT, ready=service.ready)
        self.register_outputs({"ready": self.ready})


def haproxy_config() -> str:
    """Return HAProxy's configuration. It allows the lists that service discovery reads, with any filters."""
    return engine_filter.haproxy_config(binds=[f":{PORT}"], requests=rf"({'|'.join(_LISTS)})(\?.*)?")
