"""A Swarm service with the defaults that every service of the cluster shares."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import pulumi
import pulumi_docker as docker

from components import readiness
from components.durations import go_duration
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmSecret

_MIB = 2**20
_LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}

_ALWAYS = "node.platform.os==linux"
"""A constraint that every node meets. The provider puts back only what the program declares: where a service had no
constraint, one that somebody added by hand would stay."""

_NOT_OURS = ["taskSpec.placement.platforms"]
"""What the program leaves to others. Swarm's registry client fills the platforms in when a service is created, and
leaves them out when it is updated; Swarm replaces no task for them."""


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """A command that a task's container runs to know whether it is healthy; times in seconds."""

    command: Sequence[str]
    interval: int = 5
    timeout: int = 3
    retries: int = 3
    start_period: int = 20

    @classmethod
    def by_wget(cls, port: int, path: str, *, interval: int = 5, start_period: int = 20) -> Self:
        """Whether the container's own port answers; its image must have a `wget`."""
        command = ["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"]
        return cls(command=command, interval=interval, start_period=start_period)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a task may take at most, and what is set aside for it: CPUs and MiB."""

    cpus: float
    memory: int
    reserved_cpus: float
    reserved_memory: int


@dataclass(frozen=True, kw_only=True)
class SwarmServiceArgs:
    """A service; `replicas` None means one task on every node.

    `command` is the whole program with its arguments. `ports` maps a port of the host to one of the container.
    `volumes` maps a volume's name to a path, `host_paths` a path of the host to one where the task may read it, `tmpfs`
    a path to its size in MiB. `node_id_variable` names a variable of the environment that is to hold the node's id.
    `stop_grace` is in seconds: the program must end within it on SIGTERM. The service is created once the resources in
    `after` are there.
    """

    cluster: SwarmCluster
    networks: Sequence[OverlayNetwork]
    image: pulumi.Input[str]
    user: str
    healthcheck: Healthcheck
    resources: Resources
    ready_timeout: int
    command: Sequence[str]
    replicas: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    node_id_variable: str = ""
    files: Sequence[SwarmFile] = ()
    secrets: Sequence[SwarmSecret] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    host_paths: Mapping[str, str] = field(default_factory=dict)
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    ports: Mapping[int, int] = field(default_factory=dict)
    constraints: Sequence[str] = ()
    update_order: Literal["start-first", "stop-first"] = "start-first"
    stop_grace: int = 30
    after: Sequence[pulumi.Resource] = ()


class SwarmService(pulumi.ComponentResource):
    """A hardened service: read-only root, no capabilities, limits, health, rollback, rotated logs, DNS discovery.

    Nothing uses the ingress mesh: ports are the host's own, so the service sees client addresses and runs on
    kernels without IPVS. `ready` resolves to the service's name when it runs as asked, on every `pulumi up`.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: SwarmServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:service:SwarmService", name, {}, opts)
        self._name = name
        self._args = args
        version = self._task_version()
        self.service = docker.Service(
            name,
            name=name,
            task_spec=self._task_spec(version),
            mode=docker.ServiceModeArgs(global_=True)
            if args.replicas is None
            else docker.ServiceModeArgs(replicated=docker.ServiceModeReplicatedArgs(replicas=args.replicas)),
            endpoint_spec=docker.ServiceEndpointSpecArgs(mode="dnsrr", ports=self._ports()),
            update_config=docker.ServiceUpdateConfigArgs(
                parallelism=1, order=args.update_order, monitor="5s", failure_action="rollback"
            ),
            rollback_config=docker.ServiceRollbackConfigArgs(
                parallelism=1, order=args.update_order, monitor="5s", failure_action="pause"
            ),
            opts=args.cluster.on_manager(self, fixed_name=True, after=args.after, ignore_changes=_NOT_OURS),
        )
        # The nodes are part of it: a host that joined must run its task of a global service too.
        self.ready = pulumi.Output.all(version, self.service.id, args.cluster.node_ids).apply(self._wait_until_ready)
        self.register_outputs({"ready": self.ready})

    async def _wait_until_ready(self, known: Sequence[Any]) -> str:
        if not pulumi.runtime.is_dry_run():
            await asyncio.to_thread(
                readiness.wait,
                self._args.cluster.seed.target,
                self._name,
                version=str(known[0]),
                timeout=self._args.ready_timeout,
            )
        return self._name

    def _task_version(self) -> pulumi.Output[str]:
        """A hash of everything that makes a task what it is. The number of tasks and how they are updated are not."""
        args = self._args
        static = (
            args.user, args.command, args.environment, args.node_id_variable, args.healthcheck, args.resources,
            args.volumes, args.host_paths, args.tmpfs, args.ports, args.constraints, args.stop_grace,
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
                docker.ServiceTaskSpecNetworksAdvancedArgs(id=network.network_id) for network in args.networks
            ],
            placement=docker.ServiceTaskSpecPlacementArgs(constraints=[*args.constraints, _ALWAYS]),
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
            mounts=self._mounts() or None,
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
        """The program, with `env` in front that sets its environment.

        The provider writes the variables of a service in another order at each update. To Swarm that is another task:
        it would restart all of them when the service is scaled. A command line keeps its order. Only what Swarm itself
        fills in, the node's id, has to be in the service's environment: one variable has no order.
        """
        variables = [f"{key}={value}" for key, value in sorted(self._args.environment.items())]
        return ["env", pulumi.Output.concat(readiness.VERSION, "=", version), *variables, *self._args.command]

    def _mounts(self) -> list[docker.ServiceTaskSpecContainerSpecMountArgs]:
        volumes = [
            docker.ServiceTaskSpecContainerSpecMountArgs(
                type="volume",
                source=volume,
                target=path,
                # What an image has there would come into an empty volume, together with its owner.
                volume_options=docker.ServiceTaskSpecContainerSpecMountVolumeOptionsArgs(no_copy=True),
            )
            for volume, path in self._args.volumes.items()
        ]
        host_paths = [
            docker.ServiceTaskSpecContainerSpecMountArgs(type="bind", source=path, target=target, read_only=True)
            for path, target in self._args.host_paths.items()
        ]
        memory = [
            docker.ServiceTaskSpecContainerSpecMountArgs(
                type="tmpfs",
                target=path,
                tmpfs_options=docker.ServiceTaskSpecContainerSpecMountTmpfsOptionsArgs(
                    size_bytes=size * _MIB,
                    # The provider drops the sticky bit when it reads the mode back. A task has one user only.
                    mode=0o777,
                ),
            )
            for path, size in self._args.tmpfs.items()
        ]
        return volumes + host_paths + memory

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
