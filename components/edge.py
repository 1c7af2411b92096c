"""The cluster's entry point: HAProxy on every node, in front of the file service."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi

from . import readiness, users
from .edge_config import CERTIFICATE, HEALTH_PORT, Limits, haproxy_config, haproxy_users
from .endpoint import Backend
from .mounts import SECRETS
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

_CONFIG = "/etc/haproxy/haproxy.cfg"
_OPERATORS = "operators.cfg"
HEALTHCHECK = (
    "bash",
    "-c",
    (
        f"exec 3<>/dev/tcp/127.0.0.1/{HEALTH_PORT} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 "
        "&& head -n 1 <&3 | grep -q ' 200 '"
    ),
)


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """The edge listens on `port` of every host and forwards to the replicas of `backend` that are ready.

    `consoles` maps further ports of the hosts, open to the operator only, to a "SERVICE:PORT" behind each; at
    `statistics_port` the operator finds HAProxy's own statistics. `databases` maps ports to InfluxDBs in the same way,
    which ask for passwords themselves. With a `certificate` (PEM, followed by its private key) every port speaks TLS.
    """

    cluster: SwarmCluster
    networks: Sequence[OverlayNetwork]
    image: str
    port: int
    backend: Backend
    max_file_bytes: int
    operator_password: pulumi.Output[str]
    limits: Limits = field(default_factory=Limits)
    consoles: Mapping[int, str] = field(default_factory=dict)
    databases: Mapping[int, str] = field(default_factory=dict)
    statistics_port: int | None = None
    certificate: pulumi.Output[str] | None = None


class Edge(pulumi.ComponentResource):
    """Publishes the file service on one port of every host. A replica that is not ready gets no requests.

    Consoles and statistics ask for the user `operator` and its password, on ports of their own.
    Only failed connections are retried, never a request that was partly sent.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:edge:Edge", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        further_ports = [*args.consoles, *args.databases, *([args.statistics_port] if args.statistics_port else [])]
        config = SwarmFile(
            f"{name}-config",
            SwarmFileArgs(
                cluster=args.cluster,
                content=haproxy_config(
                    port=args.port,
                    backend=args.backend.service,
                    backend_port=args.backend.port,
                    status_port=args.backend.status_port,
                    replicas=args.backend.replicas,
                    max_file_bytes=args.max_file_bytes,
                    edges=len(args.cluster.hosts),
                    limits=args.limits,
                    consoles=args.consoles,
                    databases=args.databases,
                    statistics_port=args.statistics_port,
                    tls=args.certificate is not None,
                ),
                path=_CONFIG,
            ),
            opts=child,
        )
        users_of_stack = partial(haproxy_users, deployment=f"{pulumi.get_project()}/{pulumi.get_stack()}")
        secrets = [
            SwarmSecret(
                f"{name}-{purpose}",
                SwarmSecretArgs(cluster=args.cluster, content=content, file_name=file_name, uid=users.EDGE),
                opts=child,
            )
            for purpose, file_name, content in (
                ("operators", _OPERATORS, args.operator_password.apply(users_of_stack)),
                ("certificate", CERTIFICATE, args.certificate),
            )
            if content is not None
        ]
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=args.networks,
                image=args.image,
                user=users.alone(users.EDGE),
                command=["haproxy", "-W", "-db", "-f", f"{SECRETS}/{_OPERATORS}", "-f", _CONFIG],
                files=[config],
                secrets=secrets,
                ports={port: port for port in (args.port, *further_ports)},
                healthcheck=Healthcheck(command=HEALTHCHECK, interval=2),
                resources=Resources(cpus=1.0, memory=256, reserved_cpus=0.1, reserved_memory=64),
                update_order="stop-first",  # only one task can hold the host's port
            ),
            opts=child,
        )
        self._args = args
        # Nodes learn of the replicas at different times, so only an answer through every edge shows that all know them.
        self.ready = pulumi.Output.all(
            service.ready,
            args.cluster.first_manager.reached,
            [host.cluster_address for host in args.cluster.hosts],
            args.backend.ready,
        ).apply(self._wait_for_answers)
        self.register_outputs({"ready": self.ready})

    async def _wait_for_answers(self, known: Sequence[Any]) -> str:
        args = self._args
        name, manager, addresses, _ = known
        if not pulumi.runtime.is_dry_run():
            scheme = "https" if args.certificate is not None else "http"
            urls = [f"{scheme}://{address}:{args.port}/readyz" for address in addresses]
            await asyncio.to_thread(readiness.wait_for_answers, manager, urls, timeout=args.cluster.ready_timeout())
        return str(name)
