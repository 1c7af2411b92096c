"""The object store that all replicas of the file service share: SeaweedFS on the cluster's own hosts.

Masters know which volume server has which SeaweedFS volume. A volume server on every host stores the data. The replicas
ask them directly. They are on a network of their own and publish no port.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi

from . import seaweedfs, users
from .commands import create_volume, remove_volume
from .host import Host
from .overlay import OverlayNetwork
from .shell import FOLDER
from .single_writer import single_writer_service
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, secret_files
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

_REPAIR = FOLDER / "repair_volumes.sh"


@dataclass(frozen=True, kw_only=True)
class ObjectStoreArgs:
    """Each chunk is on `copies` hosts. `master_hosts` run a master each.

    `voters` are the names of these hosts, and of one that is gone if there is one: one name, or three.

    Keys and certificates are made from the `seed`.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    master_hosts: Sequence[Host]
    voters: Sequence[str]
    image: str
    copies: int
    seed: pulumi.Output[str]


class ObjectStore(pulumi.ComponentResource):
    """Runs SeaweedFS so that every chunk is on `copies` hosts before its upload is acknowledged.

    With too few hosts up, uploads are refused.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: ObjectStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:object_store:ObjectStore", name, {}, opts)
        self._name = name
        self.args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self.masters = [seaweedfs.master_name(host) for host in args.voters]
        services = [*self._create_masters(), self._create_volume_servers()]
        self.ready = pulumi.Output.all(*[service.ready for service in services]).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})

    def _create_masters(self) -> list[SwarmService]:
        args = self.args
        files = [
            SwarmFile(
                f"{self._name}-master-{kind}",
                SwarmFileArgs(cluster=args.cluster, content=content, path=f"/etc/seaweedfs/{file_name}"),
                opts=self._child,
            )
            for kind, file_name, content in (
                ("config", "master.toml", seaweedfs.master_config()),
                ("security", seaweedfs.SECURITY, seaweedfs.master_security()),
            )
        ]
        identity = self._identity(
            seaweedfs.MASTER, uid=users.OBJECT_STORE_MASTER, hosts=[seaweedfs.MASTER, *self.masters]
        )
        return [
            single_writer_service(
                seaweedfs.master_name(host.target.name),
                self._program(
                    seaweedfs.master_command(seaweedfs.master_name(host.target.name), self.masters, args.copies),
                    # The check must not ask for a leader. Masters find each other by DNS names, which Swarm gives to
                    # healthy tasks only, so without a leader they would never become healthy.
                    Healthcheck.by_wget(seaweedfs.METRICS_PORT, "/metrics", start_period=30),
                    files,
                    identity,
                    uid=users.OBJECT_STORE_MASTER,
                    cpus=0.5,
                    memory=96,
                    heap=64,
                ),
                host=host,
                data=seaweedfs.DATA,
                parent=self,
            )
            for host in args.master_hosts
        ]

    def _create_volume_servers(self) -> SwarmService:
        args = self.args
        volumes = [
            host.command(
                f"{self._name}-data-{host.target.name}",
                parent=self,
                create=create_volume(
                    volume=seaweedfs.VOLUME_SERVER, owner=users.OBJECT_STORE_VOLUME, image=args.cluster.volume_image
                ),
                delete=remove_volume(volume=seaweedfs.VOLUME_SERVER),
                after=[args.cluster.node_of[host.target.name]],
            )
            for host in args.cluster.hosts
        ]
        repair = SwarmFile(
            f"{self._name}-repair-volumes",
            SwarmFileArgs(cluster=args.cluster, content=_REPAIR.read_text(), path=seaweedfs.REPAIR),
            opts=self._child,
        )
        program = self._program(
            seaweedfs.volume_server_command(self.masters),
            # It may not answer for a while when its disk is busy and it has much to delete. To kill it then would take
            # a copy of each chunk away. Replicas notice by themselves that it does not answer, and use the other copy.
            Healthcheck.by_wget(seaweedfs.VOLUME_PORT, "/healthz", start_period=30, retries=6),
            [repair],
            [
                *secret_files(
                    seaweedfs.VOLUME_SERVER,
                    {
                        seaweedfs.SECURITY: args.seed.apply(
                            lambda seed: seaweedfs.volume_server_security(
                                write_key=seaweedfs.write_key(seed), read_key=seaweedfs.read_key(seed)
                            )
                        )
                    },
                    cluster=args.cluster,
                    uid=users.OBJECT_STORE_VOLUME,
                    parent=self,
                ),
                *self._identity(seaweedfs.VOLUME_SERVER, uid=users.OBJECT_STORE_VOLUME),
            ],
            uid=users.OBJECT_STORE_VOLUME,
            cpus=1.0,
            # With less, the pages of its own program do not fit while it writes: it reads them again and again, and
            # stands still.
            memory=160,
            heap=72,
        )
        return SwarmService(
            seaweedfs.VOLUME_SERVER,
            replace(
                program,
                node_id_variable="NODE_ID",
                volumes={seaweedfs.VOLUME_SERVER: seaweedfs.DATA},
                constraints=[],  # it runs on every host
                update_order="stop-first",  # two tasks on one host would corrupt its volume
                in_turn=True,  # two at a time could have all copies of a chunk
                after=volumes,
            ),
            opts=self._child,
        )

    def _identity(self, name: str, *, uid: int, hosts: Sequence[str] = ()) -> Sequence[SwarmSecret]:
        """Create the files with the certificate of this name, and with the certificate of its authority."""
        made = self.args.seed.apply(lambda seed: seaweedfs.identity(seed, name, hosts=hosts))
        contents = {
            seaweedfs.IDENTITY_FILE: made.apply(lambda identity: identity.pem),
            seaweedfs.AUTHORITY_FILE: made.apply(lambda identity: identity.authority),
        }
        return secret_files(name, contents, cluster=self.args.cluster, uid=uid, parent=self)

    def _program(
        self,
        command: Sequence[str],
        healthcheck: Healthcheck,
        files: Sequence[SwarmFile],
        secrets: Sequence[SwarmSecret],
        *,
        uid: int,
        cpus: float,
        memory: int,
        heap: int,
    ) -> SwarmServiceArgs:
        """Return what the services of both programs have in common.

        `memory` is a task's limit and `heap` the limit of Go's garbage collector within it, both in MiB.
        """
        args = self.args
        return SwarmServiceArgs(
            cluster=args.cluster,
            networks=[args.network],
            image=args.image,
            user=users.alone(uid),
            command=command,
            # Go's garbage collector must know its limit, or the kernel kills the program first.
            environment={"GOMEMLIMIT": f"{heap}MiB"},
            files=files,
            secrets=secrets,
            tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
            healthcheck=healthcheck,
            resources=Resources(cpus=cpus, memory=memory, reserved_cpus=cpus / 10, reserved_memory=memory // 2),
        )
