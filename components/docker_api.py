"""A read-only part of the Docker API, from which Prometheus discovers the cluster's nodes and tasks."""

from dataclasses import dataclass

import pulumi

from components import engine_filter, users
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmFileArgs
from components.swarm_service import Resources, SwarmService, SwarmServiceArgs

PORT = 2375

_LISTS = ("_ping", "networks", "nodes", "services", "tasks")


@dataclass(frozen=True, kw_only=True)
class DockerApiArgs:
    """`network` should be internal, with Prometheus as the only other service on it."""

    cluster: SwarmCluster
    network: OverlayNetwork
    image: str


class DockerApi(pulumi.ComponentResource):
    """Runs HAProxy in front of the Docker socket of every manager. It lets a few lists be read and refuses all else.

    Access to the socket itself would be root on the host. These lists name the services and reveal no secrets.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: DockerApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:docker_api:DockerApi", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        config = SwarmFile(
            f"{name}-config",
            SwarmFileArgs(cluster=args.cluster, content=haproxy_config(), path=engine_filter.CONFIG),
            opts=child,
        )
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.root_in(users.DOCKER_API_GROUP),
                command=engine_filter.COMMAND,
                files=[config],
                host_paths={engine_filter.SOCKET: engine_filter.SOCKET},
                constraints=["node.role==manager"],
                healthcheck=engine_filter.healthcheck(PORT),
                resources=Resources(cpus=0.25, memory=128, reserved_cpus=0.02, reserved_memory=32),
                stop_grace=10,
            ),
            opts=child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})


def haproxy_config() -> str:
    """Return HAProxy's configuration. It lets the lists be read that discovery reads, with any filters."""
    return engine_filter.haproxy_config(binds=[f":{PORT}"], requests=rf"({'|'.join(_LISTS)})(\?.*)?")
