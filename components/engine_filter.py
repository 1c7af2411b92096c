"""The HAProxy between a service and the Engine's socket. Whoever can use the socket itself is root on the host."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi

from . import users
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmFileArgs
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

SOCKET = "/var/run/docker.sock"
_CONFIG = "/etc/haproxy/haproxy.cfg"
_COMMAND = ("haproxy", "-W", "-db", "-f", _CONFIG)


def create_filter(
    name: str,
    *,
    parent: pulumi.Resource,
    cluster: SwarmCluster,
    network: OverlayNetwork,
    image: str,
    group: int,
    config: str,
    port: int,
    sockets: Sequence[str] = (SOCKET,),
    volumes: Mapping[str, str] | None = None,
    constraints: Sequence[str] = (),
    update_order: Literal["start-first", "stop-first"] = "start-first",
) -> SwarmService:
    """Run an HAProxy with this configuration in front of the Engine's socket on every node that the constraints allow.

    It runs as root in a group of its own. `port` is a port that it listens on, which the health check uses. `sockets`
    are the host's sockets that it mounts, and `volumes` maps a volume to its path. The service and its configuration
    are children of `parent`.
    """
    child = pulumi.ResourceOptions(parent=parent)
    file = SwarmFile(f"{name}-config", SwarmFileArgs(cluster=cluster, content=config, path=_CONFIG), opts=child)
    return SwarmService(
        name,
        SwarmServiceArgs(
            cluster=cluster,
            networks=[network],
            image=image,
            user=users.root_in(group),
            command=_COMMAND,
            files=[file],
            host_paths={socket: socket for socket in sockets},
            volumes=volumes or {},
            constraints=constraints,
            healthcheck=_healthcheck(port),
            resources=Resources(cpus=0.25, memory=128, reserved_cpus=0.02, reserved_memory=16),
            update_order=update_order,
            stop_grace=10,
        ),
        opts=child,
    )


def _healthcheck(port: int) -> Healthcheck:
    """Return a check that the Engine answers through the filter, which must listen on this port too."""
    ask = (
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' >&3 "
        "&& head -n 1 <&3 | grep -q ' 200 '"
    )
    return Healthcheck(command=["bash", "-c", ask], interval=10)


def haproxy_config(*, binds: Sequence[str], requests: str) -> str:
    """Return HAProxy's configuration. It passes on GET and HEAD requests for some paths. Everything else gets 403.

    `binds` are what it listens on. `requests` is a regular expression that matches the whole path with its query, after
    the API's version.
    """
    listening = "\n".join(f"  bind {bind}" for bind in binds)
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
{listening}
  acl read method GET HEAD
  acl allowed pathq -m reg ^(/v1\\.[0-9]+)?/({requests})$
  http-request return status 403 content-type text/plain string "closed to this service\\n" if !read or !allowed
  # An upgraded connection would bypass these rules.
  http-request del-header upgrade
  default_backend engine

backend engine
  server engine {SOCKET}
"""
