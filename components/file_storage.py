"""The parts of the file service that depend on where it stores files."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components import connections, patroni, seaweedfs
from components.host import Host
from components.overlay import OverlayNetwork

_PASSWORD = "postgres-password"  # noqa: S105 - a file's name
_SECRETS = "/run/secrets"


@dataclass(frozen=True, kw_only=True)
class DirectoryArgs:
    """Index and content in one volume on one host, where all replicas then run."""

    host: Host


@dataclass(frozen=True, kw_only=True)
class IndexClientArgs:
    """The index in PostgreSQL on hosts of these names, which the replicas reach over `network`."""

    hosts: Sequence[str]
    password: pulumi.Output[str]
    network: OverlayNetwork


@dataclass(frozen=True, kw_only=True)
class ObjectStoreStorageArgs:
    """Content in the cluster's own object store, each chunk on `copies` hosts; `masters` are its masters' names."""

    index: IndexClientArgs
    masters: Collection[str]
    copies: int


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Content in a bucket of another object store, which speaks S3."""

    index: IndexClientArgs
    endpoint: str
    bucket: str
    access_key: str
    secret_key: pulumi.Output[str]
    region: str
    prefix: str


StorageArgs = DirectoryArgs | ObjectStoreStorageArgs | BucketArgs


@dataclass(frozen=True, kw_only=True)
class Storage:
    """What the service gets. `secrets` are contents by file name. `on_host` is the only host that can run a replica."""

    environment: Mapping[str, str]
    secrets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    networks: Sequence[OverlayNetwork] = ()
    node_id_variable: str = ""
    on_host: Host | None = None


def storage_of(args: StorageArgs, *, replicas: int) -> Storage:
    """Return what this number of replicas needs for this kind of storage."""
    match args:
        case DirectoryArgs():
            return Storage(
                environment={"FILE_TRANSFER_STORAGE": "directory", "FILE_TRANSFER_DATA": "/data"}, on_host=args.host
            )
        case ObjectStoreStorageArgs():
            return Storage(
                environment={
                    "FILE_TRANSFER_STORAGE": "cluster",
                    **_index(args.index, replicas=replicas),
                    "FILE_TRANSFER_SEAWEEDFS_MASTERS": seaweedfs.addresses(args.masters),
                    "FILE_TRANSFER_SEAWEEDFS_VOLUME_SERVERS": f"{seaweedfs.VOLUME_SERVER}:{seaweedfs.VOLUME_PORT}",
                    "FILE_TRANSFER_COPIES": str(args.copies),
                },
                secrets={_PASSWORD: args.index.password},
                networks=[args.index.network],
                node_id_variable="NODE_ID",  # with it, a replica finds the copies on its own host
            )
        case BucketArgs():
            return Storage(
                environment={
                    "FILE_TRANSFER_STORAGE": "s3",
                    **_index(args.index, replicas=replicas),
                    "FILE_TRANSFER_S3_ENDPOINT": args.endpoint,
                    "FILE_TRANSFER_S3_BUCKET": args.bucket,
                    "FILE_TRANSFER_S3_REGION": args.region,
                    "FILE_TRANSFER_S3_PREFIX": args.prefix,
                    "FILE_TRANSFER_S3_ACCESS_KEY_FILE": f"{_SECRETS}/access-key",
                    "FILE_TRANSFER_S3_SECRET_KEY_FILE": f"{_SECRETS}/secret-key",
                },
                secrets={
                    _PASSWORD: args.index.password,
                    "access-key": pulumi.Output.from_input(args.access_key),
                    "secret-key": args.secret_key,
                },
                networks=[args.index.network],
            )


def _index(index: IndexClientArgs, *, replicas: int) -> dict[str, str]:
    return {
        "FILE_TRANSFER_POSTGRES_HOSTS": patroni.addresses(index.hosts),
        "FILE_TRANSFER_POSTGRES_PASSWORD_FILE": f"{_SECRETS}/{_PASSWORD}",
        "FILE_TRANSFER_POSTGRES_CONNECTIONS": str(connections.of_a_worker(replicas)),
        # A write needs one standby, also if there are two: Patroni makes one of them synchronous.
        "FILE_TRANSFER_POSTGRES_STANDBYS": str(min(1, len(index.hosts) - 1)),
        "FILE_TRANSFER_WORKERS": str(connections.WORKERS),
        # Each transfer keeps several buffers of 4 MiB in memory, so the memory limit allows only this many.
        "FILE_TRANSFER_THREADS": "20",
    }
