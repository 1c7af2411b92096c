"""The object store that all replicas of the file service share: SeaweedFS on the cluster's own hosts.

Masters know which server has which volume; a volume server on every host has the data; the gateway speaks S3 and
knows which object is where. All of it is on a network of its own, and nothing is published.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

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
        self._masters = seaweedfs.masters([host for host in args.hosts if host.args.role == "manager"])
        services = [*self._create_masters(), self._create_volume_servers(), self._create_gateway()]
        self.ready = pulumi.Output.all(*[service.ready for service in services]).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})

    def _create_masters(self) -> list[SwarmService]:
        args = self._args
        config = SwarmFile(
            f"{self._name}-master-config",
            SwarmFileArgs(cluster=args.cluster, content=seaweedfs.master_config(), path="/etc/seaweedfs/master.toml"),
            opts=self._child,
        )
        services = []
        for host in self._masters:
            name = _master(host)
            volume = self._owned_volume(name, host)
            services.append(
                SwarmService(
                    name,
                    SwarmServiceArgs(
                        cluster=args.cluster,
                        networks=[args.network],
                        image=args.image,
                        user=f"{_OWNER}:{_OWNER}",
                        replicas=1,
                        command=seaweedfs.master_command(
                            name, [_master(master) for master in self._masters], args.copies
                        ),
                        environment={"GOMEMLIMIT": "64MiB"},
                        files=[config],
                        volumes={name: seaweedfs.DATA},
                        tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                        constraints=[host.only_here],
                        # Not whether it has a leader: Swarm gives a name to healthy tasks only, and by their names
                        # masters find each other.
                        healthcheck=_answers(seaweedfs.METRICS_PORT, "/metrics"),
                        resources=Resources(cpus=0.5, memory=96, reserved_cpus=0.05, reserved_memory=48),
                        update_order="stop-first",  # two on one volume would spoil it
                        ready_timeout=args.ready_timeout,
                        after=[volume],
                    ),
                    opts=self._child,
                )
            )
        return services

    def _create_volume_servers(self) -> SwarmService:
        args = self._args
        volumes = [
            command.remote.Command(
                f"{self._name}-data-{host.target.name}",
                connection=host.connection,
                create=make_volume(volume=seaweedfs.VOLUME_SERVER, owner=_OWNER, image=args.volume_image),
                delete=remove_volume(volume=seaweedfs.VOLUME_SERVER),
                add_previous_output_in_env=False,
                opts=pulumi.ResourceOptions(parent=self, depends_on=args.cluster.nodes),
            )
            for host in args.hosts
        ]
        return SwarmService(
            seaweedfs.VOLUME_SERVER,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=f"{_OWNER}:{_OWNER}",
                command=seaweedfs.volume_server_command([_master(master) for master in self._masters]),
                environment={"GOMEMLIMIT": "128MiB", "NODE_ID": "{{.Node.ID}}"},
                volumes={seaweedfs.VOLUME_SERVER: seaweedfs.DATA},
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                healthcheck=_answers(seaweedfs.VOLUME_PORT, "/healthz"),
                resources=Resources(cpus=1.0, memory=192, reserved_cpus=0.05, reserved_memory=64),
                update_order="stop-first",  # as above
                ready_timeout=args.ready_timeout,
                after=volumes,
            ),
            opts=self._child,
        )

    def _create_gateway(self) -> SwarmService:
        args = self._args
        volume = self._owned_volume(seaweedfs.GATEWAY, args.gateway_host)
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
        return SwarmService(
            seaweedfs.GATEWAY,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=f"{_OWNER}:{_OWNER}",
                replicas=1,
                command=seaweedfs.gateway_command([_master(master) for master in self._masters], args.copies),
                environment={"GOMEMLIMIT": "160MiB"},
                secrets=[identities],
                volumes={seaweedfs.GATEWAY: seaweedfs.DATA},
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                constraints=[args.gateway_host.only_here],
                healthcheck=_answers(seaweedfs.S3_PORT, "/healthz", start_period=60),
                resources=Resources(cpus=1.0, memory=224, reserved_cpus=0.1, reserved_memory=96),
                update_order="stop-first",  # as above
                ready_timeout=args.ready_timeout,
                after=[volume],
            ),
            opts=self._child,
        )

    def _owned_volume(self, name: str, host: Host) -> OwnedVolume:
        return OwnedVolume(
            f"{name}-data",
            OwnedVolumeArgs(
                cluster=self._args.cluster, host=host, name=name, owner=_OWNER, image=self._args.volume_image
            ),
            opts=self._child,
        )


def _master(host: Host) -> str:
    return seaweedfs.master_name(host.target.name)


def _answers(port: int, path: str, start_period: int = 30) -> Healthcheck:
    return Healthcheck(
        command=["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"],
        interval=5,
        start_period=start_period,
    )
