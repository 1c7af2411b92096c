"""The backup service: copies files and metrics to a directory of its host or to a bucket, again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi

from . import connections, influxdb, users
from .commands import create_directory
from .file_storage import DATA, FileStorage
from .host import Host
from .image import ServiceImage, ServiceImageArgs
from .influxdb import InfluxDb
from .mounts import SECRETS
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_file import SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

SERVICE = "backup"
PORT = 8082
"""The port of its health and metrics."""

_DIRECTORY = "/backup"


@dataclass(frozen=True, kw_only=True)
class BackupTarget:
    """Where the backups go: `repository` is the address, as restic writes it. `directory` is a path of the host.

    `secrets` are the keys of a bucket, by their names.
    """

    repository: str
    directory: str = ""
    region: str = ""
    secrets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)


def in_directory(path: str) -> BackupTarget:
    """Return the target in a directory of the host that makes the backups."""
    return BackupTarget(repository=_DIRECTORY, directory=path)


def in_bucket(
    *, endpoint: str, bucket: str, region: str, prefix: str, access_key: str, secret_key: pulumi.Output[str]
) -> BackupTarget:
    """Return the target in a bucket that speaks S3. `endpoint` begins with https:// or http://."""
    return BackupTarget(
        repository=f"s3:{'/'.join(filter(None, (endpoint, bucket, prefix.strip('/'))))}",
        region=region,
        secrets={"access-key": pulumi.Output.from_input(access_key), "secret-key": secret_key},
    )


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """The service runs on `host`. `context` is the folder of the image's Dockerfile.

    With a directory, `volume` is the file service's, `host` is where it is, and the file service is among the services
    in `after`, which must run first.

    A backup is made every `every` seconds, and `keep` says how many are kept: it maps "last", "daily", "weekly" and
    "monthly" to a number, which may be 0. Without `password`, which encrypts the backups, none of them can be read
    again.

    `networks` must reach the databases and lead to the bucket. A restore leaves `min_free_bytes` on a directory's disk.
    """

    cluster: SwarmCluster
    networks: Sequence[OverlayNetwork]
    host: Host
    storage: FileStorage
    databases: Mapping[str, InfluxDb]
    context: Path
    python_image: str
    target: BackupTarget
    every: int
    keep: Mapping[str, int]
    password: pulumi.Output[str]
    reader_password: pulumi.Output[str]
    writer_password: pulumi.Output[str]
    volume: str = ""
    min_free_bytes: int = 0
    after: Sequence[pulumi.Output[str]] = ()


class Backup(pulumi.ComponentResource):
    """Runs one task that makes encrypted backups with restic, on one host.

    It can only read a directory's volume: `operations.backups restore` starts a container that writes to it.

    `pulumi destroy` leaves the backups where they are, in a directory too.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:backup:Backup", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        image = ServiceImage(
            f"{name}-image",
            ServiceImageArgs(
                registry=args.cluster.registry,
                repository="swarm-transfer/backup",
                context=args.context,
                target="backup",
                hosts=[args.host],
                build_args={"PYTHON_IMAGE": args.python_image},
            ),
            opts=self._child,
        )
        databases = [database.ready for database in args.databases.values()]
        directory = args.target.directory
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[*args.networks, *args.storage.networks],
                image=pulumi.Output.all(image.reference, *args.storage.ready, *databases, *args.after).apply(
                    lambda known: str(known[0])
                ),
                user=users.alone(users.BACKUP),
                replicas=1,
                command=["python3", "-m", "backup", "serve"],
                environment=self._environment(),
                node_id_variable=args.storage.node_id_variable,
                secrets=self._secrets(),
                read_only_volumes={args.volume: DATA} if args.volume else {},
                writable_host_paths={directory: _DIRECTORY} if directory else {},
                tmpfs={"/tmp": 256},  # noqa: S108 - a path in the container, where restic keeps what it sends
                constraints=[args.host.constraint],
                update_order="stop-first",
                healthcheck=Healthcheck(
                    command=[
                        *("env", f"FILE_TRANSFER_STATUS_PORT={PORT}", "python3", "-m", "file_transfer.healthcheck"),
                        str(8 * args.cluster.patience),
                    ],
                    interval=10,
                    timeout=10,
                    start_period=60,
                ),
                resources=Resources(cpus=1.0, memory=768, reserved_cpus=0.1, reserved_memory=128),
                after=[self._directory(directory)] if directory else [],
            ),
            opts=self._child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})

    def _directory(self, path: str) -> pulumi.Resource:
        args = self._args
        return args.host.command(
            f"{self._name}-directory-on-{args.host.target.name}",
            parent=self,
            create=create_directory(directory=path, owner=users.BACKUP, image=args.cluster.volume_image),
            after=args.cluster.nodes,
        )

    def _environment(self) -> dict[str, str]:
        args = self._args
        return {
            **args.storage.environment,
            **({"FILE_TRANSFER_MIN_FREE_BYTES": str(args.min_free_bytes)} if args.volume else {}),
            "FILE_TRANSFER_POSTGRES_CONNECTIONS": str(connections.FOR_BACKUP),
            "BACKUP_CLUSTER": pulumi.get_stack(),
            "BACKUP_REPOSITORY": args.target.repository,
            "BACKUP_EVERY_SECONDS": str(args.every),
            "BACKUP_KEEP": ",".join(f"{kind}={number}" for kind, number in args.keep.items() if number),
            "BACKUP_DATABASES": ",".join(
                f"{database}={influxdb.service_name(database)}:{influxdb.PORT}" for database in args.databases
            ),
            **{f"BACKUP_{_variable(name)}_FILE": f"{SECRETS}/{_file(name)}" for name in self._own_secrets()},
            **({"BACKUP_REGION": args.target.region} if args.target.region else {}),
        }

    def _own_secrets(self) -> dict[str, pulumi.Output[str]]:
        """Return what the service knows beside what the storage needs, by a name of each."""
        args = self._args
        return {
            "password": args.password,
            "reader-password": args.reader_password,
            "writer-password": args.writer_password,
            **args.target.secrets,
        }

    def _secrets(self) -> list[SwarmSecret]:
        contents = {
            **{(f"storage-{name}", name): content for name, content in self._args.storage.secrets.items()},
            **{(name, _file(name)): content for name, content in self._own_secrets().items()},
        }
        return [
            SwarmSecret(
                f"{self._name}-{name}",
                SwarmSecretArgs(cluster=self._args.cluster, content=content, file_name=file_name, uid=users.BACKUP),
                opts=self._child,
            )
            for (name, file_name), content in contents.items()
        ]


def _file(name: str) -> str:
    """Return the name of a secret's file. The storage's secrets may have the name without the prefix."""
    return f"backup-{name}"


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
