"""The configuration of the HAProxy that stands between a service and the Engine's socket, which is root on the host."""

from collections.abc import Sequence

from components.swarm_service import Healthcheck

SOCKET = "/var/run/docker.sock"
CONFIG = "/etc/haproxy/haproxy.cfg"
COMMAND = ("haproxy", "-W", "-db", "-f", CONFIG)


def healthcheck(port: int) -> Healthcheck:
    """Return a check that the Engine answers through the filter, which must listen on this port too."""
    ask = (
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' >&3 "
        "&& head -n 1 <&3 | grep -q ' 200 '"
    )
    return Healthcheck(command=["bash", "-c", ask], interval=10)


def haproxy_config(*, binds: Sequence[str], requests: str) -> str:
    """Return HAProxy's configuration. It lets GET and HEAD of some paths through; all else gets 403.

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
  # An upgraded connection would pass everything.
  http-request del-header upgrade
  default_backend engine

backend engine
  server engine {SOCKET}
"""
