"""The object store that all replicas of the file service share: SeaweedFS on the cluster's own hosts.

Masters know which volume server has which SeaweedFS volume. A volume server on every host stores the data. The replicas
ask them directly. They are on a network of their own and publish no port.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components import seaweedfs, users
from components.commands import create_volume, remove_volume
from components.host import Host
from components.overlay import OverlayNetwork
from components.quorum import voters
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmFileArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.volume import OwnedVolume, OwnedVolumeArgs

_REPAIR = Path(__file__).parent / "repair_volumes.sh"


@dataclass(frozen=True, kw_only=True)
class ObjectStoreArgs:
    """`hosts` store the data, each chunk on `copies` of them.

    `volume_image` is any image with a `chown`. `ready_timeout` is in seconds.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    hosts: Sequence[Host]
    image: str
    volume_image: str
    copies: int
    ready_timeout: int


class ObjectStore(pulumi.ComponentResource):
    """Runs SeaweedFS so that every chunk is on `copies` hosts before its upload is acknowledged.

    With too few hosts up, uploads are refused. There are three masters if there are three managers, otherwise one.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:objectstore:ObjectStore", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        managers = [host for host in args.hosts if host.args.role == "manager"]
        self._masters = {seaweedfs.master_name(host.target.name): host for host in voters(managers)}
        services = [*self._create_masters(), self._create_volume_servers()]
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
                # The check must not ask for a leader. Masters find each other by DNS names, which Swarm gives to
                # healthy tasks only, so without a leader they would never become healthy.
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
                create=create_volume(
                    volume=seaweedfs.VOLUME_SERVER, owner=users.OBJECT_STORE_VOLUME, image=args.volume_image
                ),
                delete=remove_volume(volume=seaweedfs.VOLUME_SERVER),
                after=[args.cluster.node_of[host.target.name]],
            )
            for host in args.hosts
        ]
        repair = SwarmFile(
            f"{self._name}-repair-volumes",
            SwarmFileArgs(cluster=args.cluster, content=_REPAIR.read_text(), path=seaweedfs.REPAIR),
            opts=self._child,
        )
        return self._service(
            seaweedfs.VOLUME_SERVER,
            seaweedfs.volume_server_command(self._masters),
            Healthcheck.by_wget(seaweedfs.VOLUME_PORT, "/healthz", start_period=30),
            cpus=1.0,
            memory=128,
            heap=88,
            node_id_variable="NODE_ID",
            files=[repair],
            after=volumes,
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
        node_id_variable: str = "",
        files: Sequence[SwarmFile] = (),
        after: Sequence[pulumi.Resource] = (),
    ) -> SwarmService:
        """Create a service for one SeaweedFS program, on `host` or, without one, on every host.

        Its data are in a volume with the service's name. `memory` is the task's limit and `heap` the limit of Go's
        garbage collector within it, both in MiB.
        """
        args = self._args
        user = users.OBJECT_STORE_MASTER if host else users.OBJECT_STORE_VOLUME
        if host:
            owned = OwnedVolumeArgs(cluster=args.cluster, host=host, name=name, owner=user, image=args.volume_image)
            after = [*after, OwnedVolume(f"{name}-data", owned, opts=self._child)]
        return SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.alone(user),
                replicas=1 if host else None,
                command=program,
                # Go's garbage collector must know its limit, or the kernel kills the program first.
                environment={"GOMEMLIMIT": f"{heap}MiB"},
                node_id_variable=node_id_variable,
                files=files,
                volumes={name: seaweedfs.DATA},
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                constraints=[host.constraint] if host else [],
                healthcheck=healthcheck,
                resources=Resources(cpus=cpus, memory=memory, reserved_cpus=cpus / 10, reserved_memory=memory // 2),
                update_order="stop-first",  # two tasks would corrupt the volume
                ready_timeout=args.ready_timeout,
                after=after,
            ),
            opts=self._child,
        )
