"""The object store that all replicas of the file service share: SeaweedFS on the cluster's own hosts.

Masters know which server has which volume; a volume server on every host has the data; the gateway speaks S3 and
knows which object is where. All of it is on a network of its own, and nothing is published.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import pulumi
import pulumi_command as command

from components.commands import make_volume, remove_volume
from components.host import Host
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, SwarmSecretArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.volume import OwnedVolume, OwnedVolumeArgs

T = TypeVar("T")

GATEWAY = "object-store"
"""The service that speaks S3."""

VOLUME_SERVER = "object-store-volume"
METRICS_PORT = 9327
S3_PORT = 8333
BUCKET = "files"
ACCESS_KEY = "files"

_MASTER_PORT = 9333
_VOLUME_PORT = 8080
_FILER_PORT = 8888
_OWNER = 65534
_MAJORITY_OF = 3
_DATA = "/data"
_IDENTITIES = "s3.json"
_OWN_ADDRESS = """-ip="$(hostname -i | cut -d ' ' -f 1)\""""


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
        self._masters = masters([host for host in args.hosts if host.args.role == "manager"])
        services = [*self._create_masters(), self._create_volume_servers(), self._create_gateway()]
        self.ready = pulumi.Output.all(*[service.ready for service in services]).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})

    def _create_masters(self) -> list[SwarmService]:
        args = self._args
        config = SwarmFile(
            f"{self._name}-master-config",
            SwarmFileArgs(cluster=args.cluster, content=master_config(), path="/etc/seaweedfs/master.toml"),
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
                        command=master_command(name, [_master(master) for master in self._masters], args.copies),
                        environment={"GOMEMLIMIT": "64MiB"},
                        files=[config],
                        volumes={name: _DATA},
                        tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                        constraints=[host.only_here],
                        # Not whether it has a leader: Swarm gives a name to healthy tasks only, and by their names
                        # masters find each other.
                        healthcheck=_answers(METRICS_PORT, "/metrics"),
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
                create=make_volume(volume=VOLUME_SERVER, owner=_OWNER, image=args.volume_image),
                delete=remove_volume(volume=VOLUME_SERVER),
                add_previous_output_in_env=False,
                opts=pulumi.ResourceOptions(parent=self, depends_on=args.cluster.nodes),
            )
            for host in args.hosts
        ]
        return SwarmService(
            VOLUME_SERVER,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=f"{_OWNER}:{_OWNER}",
                command=volume_server_command([_master(master) for master in self._masters]),
                environment={"GOMEMLIMIT": "128MiB", "NODE_ID": "{{.Node.ID}}"},
                volumes={VOLUME_SERVER: _DATA},
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                healthcheck=_answers(_VOLUME_PORT, "/healthz"),
                resources=Resources(cpus=1.0, memory=192, reserved_cpus=0.05, reserved_memory=64),
                update_order="stop-first",  # as above
                ready_timeout=args.ready_timeout,
                after=volumes,
            ),
            opts=self._child,
        )

    def _create_gateway(self) -> SwarmService:
        args = self._args
        volume = self._owned_volume(GATEWAY, args.gateway_host)
        identities = SwarmSecret(
            f"{self._name}-identities",
            SwarmSecretArgs(
                cluster=args.cluster, content=args.secret_key.apply(identities_of), file_name=_IDENTITIES, uid=_OWNER
            ),
            opts=self._child,
        )
        return SwarmService(
            GATEWAY,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=f"{_OWNER}:{_OWNER}",
                replicas=1,
                command=gateway_command([_master(master) for master in self._masters], args.copies),
                environment={"GOMEMLIMIT": "160MiB"},
                secrets=[identities],
                volumes={GATEWAY: _DATA},
                tmpfs={"/tmp": 16},  # noqa: S108 - a path in the container
                constraints=[args.gateway_host.only_here],
                healthcheck=_answers(S3_PORT, "/healthz", start_period=60),
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


def masters(managers: Sequence[T]) -> Sequence[T]:
    """The managers that have a master: three of them, or one where there are fewer, since two are no safer than one."""
    return managers[:_MAJORITY_OF] if len(managers) >= _MAJORITY_OF else managers[:1]


def master_name(host: str) -> str:
    """The service of the master on the host of this name."""
    return f"object-store-master-{host}"


def replication(copies: int) -> str:
    """SeaweedFS's code for so many copies, each on a server of its own."""
    return f"00{copies - 1}"


def identities_of(secret_key: str) -> str:
    """The gateway's users: one, who may do everything."""
    identity = {
        "name": ACCESS_KEY,
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    return json.dumps({"identities": [identity]})


def master_config() -> str:
    """The masters' configuration: what is on too few servers is copied again, every minute."""
    return """[master.maintenance]
scripts = \"\"\"
  lock
  volume.fix.replication -apply
  volume.deleteEmpty -quietFor=24h -apply
  unlock
\"\"\"
sleep_minutes = 1

[master.volume_growth]
copy_1 = 3
copy_2 = 3
copy_3 = 3
"""


def master_command(name: str, masters: Sequence[str], copies: int) -> list[str]:
    """The program of the master of this name, one of `masters`."""
    return [
        "weed", "-logtostderr=true", "master", f"-ip={name}", "-ip.bind=0.0.0.0", f"-port={_MASTER_PORT}",
        f"-mdir={_DATA}", f"-peers={_addresses(masters) if len(masters) > 1 else 'none'}",
        f"-defaultReplication={replication(copies)}", "-volumeSizeLimitMB=1024", "-telemetry=false",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip


def volume_server_command(masters: Sequence[str]) -> list[str]:
    """A volume server's program: its address is its task's, which changes; its identity is the node's, which stays."""
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={_VOLUME_PORT}", f"-dir={_DATA}", "-max=0", f"-master={_addresses(masters)}",
        "-index=leveldb", "-minFreeSpace=1GiB", "-preStopSeconds=1", "-concurrentUploadLimitMB=64",
        "-concurrentDownloadLimitMB=64", f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    return ["sh", "-c", f'exec weed -logtostderr=true volume {_OWN_ADDRESS} -id="$NODE_ID" {" ".join(arguments)}']


def gateway_command(masters: Sequence[str], copies: int) -> list[str]:
    """The program of filer and S3 gateway, without the other protocols that it would speak.

    The gateway finds the filer by its task's address: their service has no name before they are healthy.
    """
    arguments = [
        "-ip.bind=0.0.0.0", f"-port={_FILER_PORT}",
        f"-master={_addresses(masters)}", f"-defaultStoreDir={_DATA}",
        # The master's default is not asked when the gateway has one of its own.
        f"-defaultReplicaPlacement={replication(copies)}",
        "-concurrentUploadLimitMB=64", "-disableDirListing", "-iam=false",
        "-s3", f"-s3.port={S3_PORT}", f"-s3.config=/run/secrets/{_IDENTITIES}", "-s3.iam=false",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.concurrentUploadLimitMB=64", "-s3.readerCacheSizeMB=32",
        f"-metricsPort={METRICS_PORT}",
    ]  # fmt: skip
    return ["sh", "-c", f"exec weed -logtostderr=true filer {_OWN_ADDRESS} {' '.join(arguments)}"]


def _master(host: Host) -> str:
    return master_name(host.target.name)


def _addresses(masters: Sequence[str]) -> str:
    return ",".join(f"{master}:{_MASTER_PORT}" for master in masters)


def _answers(port: int, path: str, start_period: int = 30) -> Healthcheck:
    return Healthcheck(
        command=["wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}{path}"],
        interval=5,
        start_period=start_period,
    )
