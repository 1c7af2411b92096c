"""A Swarm service with the defaults that every service of the cluster shares."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import pulumi
import pulumi_docker as docker

from . import readiness
from .durations import go_duration
from .mounts import mounts
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmSecret

_MIB = 2**20
_LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}

_PARTS = 10
"""The number of parts in which an update replaces the tasks of a global service."""

_ALWAYS = "node.platform.os==linux"
"""A constraint that every node meets. The provider reverts only what the program declares, so on a service without any
constraint, one that somebody added by hand would stay."""

_IGNORED_CHANGES = ["taskSpec.placement.platforms"]
"""Changes that Pulumi ignores. The Docker client fills in the platforms when it creates a service but not when it
updates one. They do not make Swarm replace a task."""


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """A command that Docker runs in a task's container to see whether it is healthy; times are in seconds."""

    command: Sequence[str]
    interval: int = 5
    timeout: int = 3
    retries: int = 3
    start_period: int = 20

    def for_slow_hosts(self, patience: int) -> "Healthcheck":
        """Return the same check with all its times multiplied."""
        return replace(
            self,
            interval=self.interval * patience,
            timeout=self.timeout * patience,
            start_period=self.start_period * patience,
        )

    @classmethod
    def by_wget(
        cls,
        port: int,
        path: str,
        *,
        authority: str = "",
        interval: int = 5,
        retries: int = 3,
        start_period: int = 20,
    ) -> Self:
        """Return a check that the container's own port answers with success; the image must have a `wget`.

        With `authority`, the path of a certificate, it asks by TLS.
        """
        target = [f"http://127.0.0.1:{port}{path}"]
        if authority:
            target = [f"--ca-certificate={authority}", f"https://localhost:{port}{path}"]
        command = ["wget", "-q", "-O", "/dev/null", *target]
        return cls(command=command, interval=interval, retries=retries, start_period=start_period)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """A task's limits and reservations, in CPUs and MiB."""

    cpus: float
    memory: int
    reserved_cpus: float
    reserved_memory: int


@dataclass(frozen=True, kw_only=True)
class SwarmServiceArgs:
    """A service. With `replicas` None it has one task on every node.

    An update replaces a tenth of the tasks of a global service at a time, or with `in_turn` one after the other.
    `command` is the whole command line. `ports` maps a port of the host to one of the container. `volumes` maps a
    volume's name to a path, and `read_only_volumes` to one where the task may only read it. `host_paths` maps a path of
    the host to the path where the task may read it, and `writable_host_paths` to one where it may also write. `tmpfs`
    maps a path to its size in MiB. `most_per_host` limits the tasks on one host; 0 does not. `aliases` are further
    names of the service on its networks, which other services may share. `node_id_variable` names an environment
    variable that gets the node's id. The program must exit within `stop_grace` seconds of SIGTERM. `after` are
    resources that must exist first.
    """

    cluster: SwarmCluster
    networks: Sequence[OverlayNetwork]
    image: pulumi.Input[str]
    user: str
    healthcheck: Healthcheck
    resources: Resources
    command: Sequence[str]
    replicas: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    node_id_variable: str = ""
    files: Sequence[SwarmFile] = ()
    secrets: Sequence[SwarmSecret] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    read_only_volumes: Mapping[str, str] = field(default_factory=dict)
    host_paths: Mapping[str, str] = field(default_factory=dict)
    writable_host_paths: Mapping[str, str] = field(default_factory=dict)
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    constraints: Sequence[str] = ()
    most_per_host: int = 0
    aliases: Sequence[str] = ()
    update_order: Literal["start-first", "stop-first"] = "start-first"
    in_turn: bool = False
    stop_grace: int = 30
    after: Sequence[pulumi.Resource] = ()


class SwarmService(pulumi.ComponentResource):
    """Runs a hardened service: read-only root, no capabilities, limits, health check, rollback, rotated logs.

    Services find each other by DNS and do not use the ingress mesh. Ports are published on the hosts directly, so the
    service sees client addresses and runs on kernels without IPVS. On every `pulumi up`, `ready` resolves to the
    service's name once it runs as configured.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: SwarmServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:swarm_service:SwarmService", name, {}, opts)
        self._name = name
        # Swarm kills a task whose check fails, and on a slow host it may only be slow. The edge's checks stay strict.
        self._args = args = replace(args, healthcheck=args.healthcheck.for_slow_hosts(args.cluster.patience))
        version = self._task_version()
        # A network that is replaced is deleted first, and its services before it. Pulumi finds them by their properties
        # that depend on the network: it asks the provider whether a change of these replaces the service. The provider
        # says no for `task_spec`, which may change for many reasons, and yes for the name.
        network_ids = pulumi.Output.all(*[network.network_id for network in args.networks])
        self.service = docker.Service(
            name,
            name=network_ids.apply(lambda _: name),
            task_spec=self._task_spec(version),
            mode=docker.ServiceModeArgs(global_=True)
            if args.replicas is None
            else docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=args.replicas)),
            endpoint_spec=docker.ServiceEndpointSpecArgs(mode="dnsrr", ports=self._ports()),
            update_config=docker.ServiceUpdateConfigArgs(
                parallelism=self._parallelism, order=args.update_order, monitor="5s", failure_action="rollback"
            ),
            rollback_config=docker.ServiceRollbackConfigArgs(
                parallelism=self._parallelism, order=args.update_order, monitor="5s", failure_action="pause"
            ),
            opts=args.cluster.on_manager(self, fixed_name=True, after=args.after, ignore_changes=_IGNORED_CHANGES),
        )
        # The wait depends on the nodes, because a host that has just joined must run its task of a global service too.
        manager = args.cluster.first_manager.reached
        self.ready = pulumi.Output.all(version, manager, self.service.id, args.cluster.node_ids).apply(
            self._wait_until_ready
        )
        self.register_outputs({"ready": self.ready})

    async def _wait_until_ready(self, known: Sequence[Any]) -> str:
        if not pulumi.runtime.is_dry_run():
            await asyncio.to_thread(
                readiness.wait,
                known[1],
                self._name,
                version=str(known[0]),
                timeout=self._args.cluster.ready_timeout(rounds=-(-self._tasks // self._parallelism)),
            )
        return self._name

    @property
    def _tasks(self) -> int:
        """The number of tasks; of a global service, at most one on every host."""
        return len(self._args.cluster.hosts) if self._args.replicas is None else self._args.replicas

    @property
    def _parallelism(self) -> int:
        return at_a_time(self._tasks, replicated=self._args.replicas is not None, in_turn=self._args.in_turn)

    def _task_version(self) -> pulumi.Output[str]:
        """Return a hash of a task's configuration. The number of tasks and the update settings are not part of it."""
        args = self._args
        static = (
            args.user, args.command, args.environment, args.node_id_variable, args.healthcheck, args.resources,
            args.volumes, args.read_only_volumes, args.host_paths, args.writable_host_paths, args.tmpfs, args.ports,
            args.constraints, args.aliases, args.stop_grace,
            [file.content for file in args.files],  # a changed file's id is not known in a preview
        )  # fmt: skip
        late = pulumi.Output.all(
            args.image,
            *[secret.mounted.secret_id for secret in args.secrets],
            *[network.network_id for network in args.networks],
        )
        return late.apply(lambda known: hashlib.sha256(repr((static, known)).encode()).hexdigest()[:12])

    def _task_spec(self, version: pulumi.Output[str]) -> docker.ServiceTaskSpecArgs:
        args = self._args
        limits = args.resources
        return docker.ServiceTaskSpecArgs(
            container_spec=self._container_spec(version),
            networks_advanceds=[
                docker.ServiceTaskSpecNetworksAdvancedArgs(id=network.network_id, aliases=list(args.aliases) or None)
                for network in args.networks
            ],
            placement=docker.ServiceTaskSpecPlacementArgs(
                constraints=[*args.constraints, _ALWAYS], max_replicas=args.most_per_host or None
            ),
            resources=docker.ServiceTaskSpecResourcesArgs(
                limits=docker.ServiceTaskSpecResourcesLimitsArgs(
                    nano_cpus=int(limits.cpus * 1e9), memory_bytes=limits.memory * _MIB
                ),
                reservation=docker.ServiceTaskSpecResourcesReservationArgs(
                    nano_cpus=int(limits.reserved_cpus * 1e9), memory_bytes=limits.reserved_memory * _MIB
                ),
            ),
            restart_policy=docker.ServiceTaskSpecRestartPolicyArgs(condition="any", delay="2s", window="30s"),
            log_driver=docker.ServiceTaskSpecLogDriverArgs(name="json-file", options=_LOG_OPTIONS),
        )

    def _container_spec(self, version: pulumi.Output[str]) -> docker.ServiceTaskSpecContainerSpecArgs:
        args = self._args
        check = args.healthcheck
        return docker.ServiceTaskSpecContainerSpecArgs(
            image=args.image,
            commands=self._command_line(version),
            env={args.node_id_variable: "{{.Node.ID}}"} if args.node_id_variable else None,
            user=args.user,
            init=True,
            read_only=True,
            cap_drops=["ALL"],
            configs=[file.mounted for file in args.files] or None,
            secrets=[secret.mounted for secret in args.secrets] or None,
            mounts=mounts(
                volumes=args.volumes,
                read_only_volumes=args.read_only_volumes,
                host_paths=args.host_paths,
                tmpfs=args.tmpfs,
                writable_host_paths=args.writable_host_paths,
            )
            or None,
            stop_grace_period=go_duration(args.stop_grace),
            healthcheck=docker.ServiceTaskSpecContainerSpecHealthcheckArgs(
                tests=["CMD", *check.command],
                interval=go_duration(check.interval),
                timeout=go_duration(check.timeout),
                retries=check.retries,
                start_period=go_duration(check.start_period),
            ),
        )

    def _command_line(self, version: pulumi.Output[str]) -> list[pulumi.Input[str]]:
        """Return the command line of the program, run by `env`, which sets its environment.

        The provider writes a service's environment variables in a random order at each update. For Swarm that is a
        changed task, so it would restart every task when the service is scaled. A command line keeps its order. Only
        the node's id has to be in the service's environment, because Swarm fills it in; one variable has no order.
        """
        variables = [f"{key}={value}" for key, value in sorted(self._args.environment.items())]
        return ["env", pulumi.Output.concat(readiness.VERSION, "=", version), *variables, *self._args.command]

    def _ports(self) -> list[docker.ServiceEndpointSpecPortArgs] | None:
        return [
            docker.ServiceEndpointSpecPortArgs(
                name=f"port-{published}",
                protocol="tcp",
                publish_mode="host",
                published_port=published,
                target_port=target,
            )
            for published, target in self._args.ports.items()
        ] or None


def at_a_time(tasks: int, *, replicated: bool, in_turn: bool) -> int:
    """Return how many tasks of a service an update replaces at a time.

    For a global service it is a tenth, so that an update of many hosts ends. A replica may have a long grace, and the
    index has connections for one replica more, so replicas are replaced one after the other.
    """
    return 1 if replicated or in_turn else max(1, tasks // _PARTS)
