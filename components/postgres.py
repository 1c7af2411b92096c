"""The index of all files: PostgreSQL on two or three hosts, of which Patroni makes one the primary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from . import etcd_member, patroni, users
from .host import Host
from .overlay import OverlayNetwork
from .single_writer import single_writer_service
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, secret_files
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

PASSWORD = "password"  # noqa: S105 - a file's name


@dataclass(frozen=True, kw_only=True)
class PostgresArgs:
    """`hosts` run one PostgreSQL each, from `image`. etcd is on the same `network`.

    Certificates are made from the `seed`. `connections` is how many connections the file service may need in all, and
    `memory` each task's limit in MiB.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    hosts: Sequence[Host]
    image: pulumi.Input[str]
    password: pulumi.Output[str]
    seed: pulumi.Output[str]
    connections: int
    memory: int


class Postgres(pulumi.ComponentResource):
    """Runs PostgreSQL so that a change is on two hosts' disks before it is acknowledged.

    While no standby is connected, nothing is acknowledged; a single host has no standby and needs none. The hosts are
    updated one after the other. The program does not choose the primary: Patroni does. A new database is made only when
    no host has one.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:postgres:Postgres", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        files, secrets = self._create_configuration(), self._create_shared_secrets()
        services: list[SwarmService] = []
        for host in args.hosts:
            services.append(self._create_service(host, files, secrets, after=services[-1:]))
        self.ready = pulumi.Output.all(*[service.ready for service in services]).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})

    def _create_configuration(self) -> list[SwarmFile]:
        args = self._args
        standbys = len(args.hosts) - 1
        contents = {
            patroni.CONFIG: patroni.config(standbys=standbys, connections=args.connections),
            patroni.SHARED_CONFIG: patroni.shared_config(standbys=standbys, connections=args.connections),
        }
        return [
            SwarmFile(
                f"{self._name}-{kind}",
                SwarmFileArgs(cluster=args.cluster, content=contents[path], path=path),
                opts=self._child,
            )
            for kind, path in (("config", patroni.CONFIG), ("shared-config", patroni.SHARED_CONFIG))
        ]

    def _create_shared_secrets(self) -> list[SwarmSecret]:
        """Create what all hosts have: the password, and what they know each other and etcd by."""
        seed = self._args.seed
        return self._secrets(
            self._name,
            {
                PASSWORD: self._args.password,
                patroni.AUTHORITY_FILE: seed.apply(patroni.authority),
                patroni.ETCD_CLIENT_FILE: seed.apply(lambda text: etcd_member.client_identity(text).pem),
                patroni.ETCD_AUTHORITY_FILE: seed.apply(lambda text: etcd_member.client_identity(text).authority),
            },
        )

    def _secrets(self, name: str, contents: Mapping[str, pulumi.Output[str]]) -> list[SwarmSecret]:
        return secret_files(name, contents, cluster=self._args.cluster, uid=users.POSTGRES, parent=self)

    def _create_service(
        self, host: Host, files: Sequence[SwarmFile], secrets: Sequence[SwarmSecret], *, after: Sequence[SwarmService]
    ) -> SwarmService:
        args = self._args
        name = patroni.service_name(host.target.name)
        identity = args.seed.apply(lambda seed: patroni.identity(seed, name).pem)
        return single_writer_service(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=pulumi.Output.all(args.image, *[service.ready for service in after]).apply(
                    lambda known: str(known[0])
                ),
                user=users.alone(users.POSTGRES),
                command=["sh", "/opt/postgres/start.sh"],
                environment=patroni.environment(
                    name, [patroni.service_name(other.target.name) for other in args.hosts]
                ),
                files=files,
                secrets=[*secrets, *self._secrets(name, {patroni.IDENTITY_FILE: identity})],
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                # This checks Patroni, not PostgreSQL. A standby that waits for its primary, and a
                # primary that replays its log, must not be killed, and Swarm gives names to healthy tasks only.
                healthcheck=Healthcheck.by_wget(
                    patroni.API_PORT, "/liveness", authority=patroni.AUTHORITY_PATH, interval=2, start_period=120
                ),
                resources=Resources(cpus=1.0, memory=args.memory, reserved_cpus=0.1, reserved_memory=args.memory // 2),
                stop_grace=60,
            ),
            host=host,
            data=patroni.DATA,
            parent=self,
        )
