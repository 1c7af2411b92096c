"""The cluster's entry point: HAProxy on every node, in front of the file service."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components import readiness, users
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, SwarmSecretArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

_CONFIG = "/etc/haproxy/haproxy.cfg"
_OPERATORS = "operators.cfg"
_CERTIFICATE = "edge.pem"
_HEALTH_PORT = 8404
_FORM_BYTES = 2**20  # allowance for what a multipart form adds around the file
_SLOTS = 64
"""The edge reserves slots for replicas in steps of this many, so that scaling within a step does not change it."""

_SILENT_SECONDS = 15
"""How long a replica may be silent on a connection. A killed one does not always close its connections. One that is
alive may stop reading for as long as it tries to store a chunk."""

HEALTHCHECK = (
    "bash",
    "-c",
    (
        f"exec 3<>/dev/tcp/127.0.0.1/{_HEALTH_PORT} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 "
        "&& head -n 1 <&3 | grep -q ' 200 '"
    ),
)


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """The edge listens on `port` of every host and forwards to the service `backend` at `backend_port`.

    `consoles` maps further ports of the hosts, open to the operator only, to a "SERVICE:PORT" behind each. With a
    `certificate` (PEM, followed by its private key) every port speaks TLS.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    image: str
    port: int
    backend: str
    backend_port: int
    backend_replicas: int
    backend_ready: pulumi.Output[str]
    max_file_bytes: int
    operator_password: pulumi.Output[str]
    consoles: Mapping[int, str] = field(default_factory=dict)
    certificate: pulumi.Output[str] | None = None


class Edge(pulumi.ComponentResource):
    """Publishes the file service on one port of every host. A replica that is not ready gets no requests.

    The status page at /edge and the file service's /metrics ask for the user `operator` and its password.
    Only failed connections are retried, never a request of which a part has been sent.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:edge:Edge", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        config = SwarmFile(
            f"{name}-config",
            SwarmFileArgs(
                cluster=args.cluster,
                content=haproxy_config(
                    port=args.port,
                    backend=args.backend,
                    backend_port=args.backend_port,
                    replicas=args.backend_replicas,
                    max_file_bytes=args.max_file_bytes,
                    consoles=args.consoles,
                    tls=args.certificate is not None,
                ),
                path=_CONFIG,
            ),
            opts=child,
        )
        secrets = [
            SwarmSecret(
                f"{name}-{purpose}",
                SwarmSecretArgs(cluster=args.cluster, content=content, file_name=file_name, uid=users.EDGE),
                opts=child,
            )
            for purpose, file_name, content in (
                ("operators", _OPERATORS, args.operator_password.apply(haproxy_users)),
                ("certificate", _CERTIFICATE, args.certificate),
            )
            if content is not None
        ]
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.alone(users.EDGE),
                command=["haproxy", "-W", "-db", "-f", f"/run/secrets/{_OPERATORS}", "-f", _CONFIG],
                files=[config],
                secrets=secrets,
                ports={port: port for port in (args.port, *args.consoles)},
                healthcheck=Healthcheck(command=HEALTHCHECK, interval=2),
                resources=Resources(cpus=1.0, memory=256, reserved_cpus=0.1, reserved_memory=64),
                update_order="stop-first",  # only one task can hold the host's port
            ),
            opts=child,
        )
        self._args = args
        # Nodes learn of the replicas at different times, so only an answer through every edge shows that all know them.
        self.ready = pulumi.Output.all(service.ready, args.backend_ready).apply(self._wait_for_answers)
        self.register_outputs({"ready": self.ready})

    async def _wait_for_answers(self, names: Sequence[str]) -> str:
        args = self._args
        if not pulumi.runtime.is_dry_run():
            scheme = "https" if args.certificate is not None else "http"
            urls = [f"{scheme}://{host.target.address}:{args.port}/readyz" for host in args.cluster.hosts]
            manager = args.cluster.first_manager.target
            await asyncio.to_thread(readiness.wait_for_answers, manager, urls, timeout=args.cluster.ready_timeout)
        return names[0]


def haproxy_users(password: str) -> str:
    """Return HAProxy's user list, with the operator as its only user.

    The password is not escaped: the settings refuse one that would need it.
    """
    return f"userlist operators\n  user operator insecure-password '{password}'\n"


def haproxy_config(
    *,
    port: int,
    backend: str,
    backend_port: int,
    replicas: int,
    max_file_bytes: int,
    consoles: Mapping[int, str] | None = None,
    tls: bool = False,
) -> str:
    """Return HAProxy's configuration: one frontend, health-checked replicas found by DNS, a health port, the consoles.

    A request whose Content-Length is too large is refused before its body is sent. Without a Content-Length, the
    service counts the bytes itself.
    """
    bind = f" ssl crt /run/secrets/{_CERTIFICATE} alpn h2,http/1.1" if tls else ""
    console_sections = "".join(_console(console, target, bind) for console, target in (consoles or {}).items())
    slots = -(-replicas // _SLOTS) * _SLOTS
    return f"""global
  log stdout format raw local0 info
  maxconn 4096
  hard-stop-after 25s
  ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
  mode http
  log global
  option httplog
  option dontlognull
  option redispatch
  retries 3
  retry-on conn-failure
  timeout connect 5s
  timeout http-request 15s
  timeout http-keep-alive 15s
  timeout client 120s
  timeout server 120s
  option srvtcpka
  srvtcpka-idle 3s
  srvtcpka-intvl 2s
{_error_responses()}
resolvers docker
  nameserver dns 127.0.0.11:53
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 1s
  timeout retry 1s
  hold valid 1s
  hold nx 1s
  hold other 1s
  hold timeout 1s
  hold obsolete 2s

frontend public
  bind :{port}{bind}
  unique-id-format %[uuid()]
  http-request set-header X-Request-ID %[unique-id]
  http-request set-header X-Forwarded-For %[src]
  http-response set-header X-Request-ID %[unique-id]
  acl too_large req.hdr(content-length),add(-{max_file_bytes + _FORM_BYTES}) -m int gt 0
  http-request return status 413 content-type text/plain string "error: the file is too large\\n" if too_large
  acl operators_only path /metrics /edge
  http-request auth realm operator if operators_only !{{ http_auth(operators) }}
  stats enable
  stats uri /edge
  default_backend replicas

backend replicas
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server resolvers docker init-addr none check inter 1s fall 2 rise 1 tcp-ut {_SILENT_SECONDS}s
  server-template replica 1-{slots} tasks.{backend}:{backend_port}

frontend health
  bind 127.0.0.1:{_HEALTH_PORT}
  monitor-uri /healthz
{console_sections}"""


def _error_responses() -> str:
    """Return the edge's own error responses, each one line of text like the file service's."""
    reasons = {
        408: "the request did not come in time",
        502: "the replica has gone away: try again",
        503: "no replica is ready: try again in a moment",
        504: "the replica does not answer: try again in a moment",
    }
    return "".join(
        f'  http-error status {status} content-type text/plain string "error: {reason}\\n" hdr Retry-After 5\n'
        for status, reason in reasons.items()
    )


def _console(port: int, target: str, bind: str) -> str:
    return f"""
listen console-{port}
  bind :{port}{bind}
  http-request auth realm operator unless {{ http_auth(operators) }}
  server console {target} resolvers docker init-addr none
"""
