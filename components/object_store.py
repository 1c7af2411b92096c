"""The object store that all replicas of the file service share: SeaweedFS on the cluster's own hosts.

Masters know which server has which volume; a volume server on every host has the data; the gateway speaks S3 and
knows which object is where. All of it is on a network of its own, and nothing is published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import seaweedfs
from components.commands import make_volume, remove_volume
from components.host import Host
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, SwarmSecretArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.volume import OwnedVolume, OwnedVolumeArgs

_OWNER = 65534


@dataclass(frozen=True, kw_only=True)
class ObjectStoreArgs:
    """`hosts` have the data, `copies` of each object on as many of them; `gateway_host` knows which object is where.

    `volume_image` is any image that has a `chown`.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    hosts: Sequence[Host]
    gateway_host: Host
    image: str
    volume_image: str
    copies: int
    secret_key: pulumi.Output[str]
    ready_timeout: int


class ObjectStore(pulumi.ComponentResource):
    """Every object is on `copies` hosts before its upload is answered; with too few hosts up, uploads are refused.

    One master, or three where there are three managers. The gateway's index is on one host: without that host files
    can be neither read nor written until it is back.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:objectstore:ObjectStore", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        managers = [host for host in args.hosts if host.args.role == "manager"]
        self._masters = {seaweedfs.master_name(host.target.name): host for host in seaweedfs.masters(managers)}
        servers = [*self._create_masters(), self._create_volume_servers()]
        services = [*servers, self._create_gateway(servers)]
        self.ready = pulumi.Output.all(*[service.ready for service in services]).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})

    def _create_masters(self) -> list[SwarmService]:
        args = self._args
        config = SwarmFile(
            f"{self._name}-master-config",
            SwarmFileArgs(cluster=args.cluster, content=seaweedfs.master_config(), path="/etc/seaweedfs/master.toml"),
            opts=self._child,
        )
        return [
            self._service(
                name,
                seaweedfs.master_command(name, self._masters, args.copies),
                # Not whether it has a leader: Swarm gives a name to healthy tasks only, and by their names masters
                # find each other.
                Healthcheck.by_wget(seaweedfs.METRICS_PORT, "/metrics", start_period=30),
                cpus=0.5,
                memory=96,
                heap=64,
                host=host,
                files=[config],
            )
            for name, host in self._masters.items()
        ]

    def _create_volume_servers(self) -> SwarmService:
        args = self._args
        volumes = [
            host.command(
                f"{self._name}-data-{host.target.name}",
                parent=self,
                create=make_volume(volume=seaweedfs.VOLUME_SERVER, owner=_OWNER, image=args.volume_image),
                delete=remove_volume(volume=seaweedfs.VOLUME_SERVER),
                after=[args.cluster.node_of[host.target.name]],
            )
            for host in args.hosts
        ]
        return self._service(
            seaweedfs.VOLUME_SERVER,
            seaweedfs.volume_server_command(self._masters),
            Healthcheck.by_wget(seaweedfs.VOLUME_PORT, "/healthz", start_period=30),
            cpus=1.0,
            memory=192,
            heap=128,
            node_id_variable="NODE_ID",
            after=volumes,
        )

    def _create_gateway(self, servers: Sequence[SwarmService]) -> SwarmService:
        """The gateway, made after the `servers` and removed before them: it ends by writing its log to them.

        Without them it tries for ever, and is killed when its time is over.
        """
        args = self._args
        identities = SwarmSecret(
            f"{self._name}-identities",
            SwarmSecretArgs(
                cluster=args.cluster,
                content=args.secret_key.apply(seaweedfs.identities_of),
                file_name=seaweedfs.IDENTITIES,
                uid=_OWNER,
            ),
            opts=self._child,
        )
        return self._service(
            seaweedfs.GATEWAY,
            seaweedfs.gateway_command(self._masters, args.copies),
            Healthcheck.by_wget(seaweedfs.S3_PORT, "/healthz", start_period=60),
            cpus=1.0,
            memory=224,
            heap=190,  # of which 80 are buffers that the filer takes at once and hardly touches
            environment=seaweedfs.gateway_environment(),
            host=args.gateway_host,
            secrets=[identities],
            after=servers,
        )

    def _service(
        self,
        name: str,
        program: Sequence[str],
        healthcheck: Healthcheck,
        *,
        cpus: float,
        memory: int,
        heap: int,
        host: Host | None = None,
        environment: Mapping[str, str] | None = None,
        node_id_variable: str = "",
        files: Sequence[SwarmFile] = (),
        secrets: Sequence[SwarmSecret] = (),
        after: Sequence[pulumi.Resource] = (),
    ) -> SwarmService:
        """One of SeaweedFS's programs with its data in a volume of its own name: on one host, or on all of them.

        `memory` is its limit and `heap` the part for what Go's collector counts, in MiB.
        """
        args = self._args
        if host:
            owned = OwnedVolumeArgs(cluster=args.cluster, host=host, name=name, owner=_OWNER, image=args.volume_image)
            after = [*after, OwnedVolume(f"{name}-data", owned, opts=self._child)]
        return SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=f"{_OWNER}:{_OWNER}",
                replicas=1 if host else None,
                command=program,
                # Go's collector has to know its limit, or the kernel ends the program first.
                environment={"GOMEMLIMIT": f"{heap}MiB", **(environment or {})},
                node_id_variable=node_id_variable,
                files=files,
                secrets=secrets,
                volumes={name: seaweedfs.DATA},
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                constraints=[host.only_here] if host else [],
                healthcheck=healthcheck,
                resources=Resources(cpus=cpus, memory=memory, reserved_cpus=cpus / 10, reserved_memory=memory // 2),
                update_order="stop-first",  # two on one volume would spoil it
                ready_timeout=args.ready_timeout,
                after=after,
            ),
            opts=self._child,
        )
