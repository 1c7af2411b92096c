"""A read-only part of the Docker API, from which Prometheus discovers the cluster's nodes and tasks."""

from dataclasses import dataclass

import pulumi

from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmFileArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

PORT = 2375

_CONFIG = "/etc/haproxy/haproxy.cfg"
_SOCKET = "/var/run/docker.sock"
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
            SwarmFileArgs(cluster=args.cluster, content=haproxy_config(), path=_CONFIG),
            opts=child,
        )
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user="0:0",  # the socket belongs to root; the task has no capabilities
                command=["haproxy", "-W", "-db", "-f", _CONFIG],
                files=[config],
                host_paths={_SOCKET: _SOCKET},
                constraints=["node.role==manager"],
                healthcheck=Healthcheck(command=["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{PORT}"], interval=10),
                resources=Resources(cpus=0.25, memory=128, reserved_cpus=0.02, reserved_memory=32),
                stop_grace=10,
            ),
            opts=child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})


def haproxy_config() -> str:
    """Return HAProxy's configuration. It allows GET and HEAD of the lists that discovery reads; all else gets 403."""
    return f"""global
  log stdout format raw local0 notice
  maxconn 256
  hard-stop-after 5s

defaults
  mode http
  log global
  option dontlog-normal
  timeout connect 5s
  timeout http-request 5s
  timeout client 30s
  timeout server 30s

frontend api
  bind :{PORT}
  acl read method GET HEAD
  acl list path_reg ^(/v1\\.[0-9]+)?/({"|".join(_LISTS)})$
  http-request return status 403 content-type text/plain string "closed: not a list to read\\n" if !read or !list
  default_backend engine

backend engine
  server engine {_SOCKET}
"""
