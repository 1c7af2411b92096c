"""What the file service gets for each kind of storage: a directory, the cluster's own object store, or a bucket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from . import connections, patroni, seaweedfs
from .host import Host
from .index import Index
from .mounts import SECRETS
from .object_store import ObjectStore
from .overlay import OverlayNetwork

_PASSWORD = "postgres-password"  # noqa: S105 - a file's name
_AUTHORITY = "postgres-authority"
_STORE = "object-store"

DATA = "/data"
"""Where a task finds the volume with a directory's index and content."""


@dataclass(frozen=True, kw_only=True)
class FileStorage:
    """What a replica gets. `secrets` are contents by file name. `on_host` is the only host that can run a replica.

    `ready` are the services that keep the files, which must run first.
    """

    environment: Mapping[str, str]
    secrets: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    networks: Sequence[OverlayNetwork] = ()
    node_id_variable: str = ""
    on_host: Host | None = None
    ready: Sequence[pulumi.Output[str]] = ()


def in_directory(host: Host) -> FileStorage:
    """Return the storage of index and content in one volume on one host, where all replicas then run."""
    return FileStorage(environment={"FILE_TRANSFER_STORAGE": "directory", "FILE_TRANSFER_DATA": DATA}, on_host=host)


def in_object_store(index: Index, store: ObjectStore) -> FileStorage:
    """Return the storage of the content in the cluster's own object store."""
    identity = store.args.seed.apply(lambda seed: seaweedfs.identity(seed, seaweedfs.REPLICA))
    return FileStorage(
        environment={
            "FILE_TRANSFER_STORAGE": "cluster",
            **_environment(index),
            "FILE_TRANSFER_SEAWEEDFS_MASTERS": seaweedfs.addresses(store.masters),
            "FILE_TRANSFER_SEAWEEDFS_VOLUME_SERVERS": f"{seaweedfs.VOLUME_SERVER}:{seaweedfs.VOLUME_PORT}",
            "FILE_TRANSFER_SEAWEEDFS_WRITE_KEY_FILE": f"{SECRETS}/{_STORE}-write-key",
            "FILE_TRANSFER_SEAWEEDFS_READ_KEY_FILE": f"{SECRETS}/{_STORE}-read-key",
            "FILE_TRANSFER_SEAWEEDFS_IDENTITY_FILE": f"{SECRETS}/{_STORE}-identity",
            "FILE_TRANSFER_SEAWEEDFS_AUTHORITY_FILE": f"{SECRETS}/{_STORE}-authority",
            "FILE_TRANSFER_COPIES": str(store.args.copies),
        },
        secrets={
            **_index_secrets(index),
            f"{_STORE}-write-key": store.args.seed.apply(seaweedfs.write_key),
            f"{_STORE}-read-key": store.args.seed.apply(seaweedfs.read_key),
            f"{_STORE}-identity": identity.apply(lambda made: made.pem),
            f"{_STORE}-authority": identity.apply(lambda made: made.authority),
        },
        networks=[index.args.network, store.args.network],
        node_id_variable="NODE_ID",  # with it, a replica finds the copies on its own host
        ready=[index.ready, store.ready],
    )


def in_bucket(
    index: Index,
    outside: OverlayNetwork,
    *,
    endpoint: str,
    bucket: str,
    region: str,
    prefix: str,
    access_key: str,
    secret_key: pulumi.Output[str],
) -> FileStorage:
    """Return the storage of the content in a bucket that speaks S3, which replicas reach by the network `outside`."""
    return FileStorage(
        environment={
            "FILE_TRANSFER_STORAGE": "s3",
            **_environment(index),
            "FILE_TRANSFER_S3_ENDPOINT": endpoint,
            "FILE_TRANSFER_S3_BUCKET": bucket,
            "FILE_TRANSFER_S3_REGION": region,
            "FILE_TRANSFER_S3_PREFIX": prefix,
            "FILE_TRANSFER_S3_ACCESS_KEY_FILE": f"{SECRETS}/access-key",
            "FILE_TRANSFER_S3_SECRET_KEY_FILE": f"{SECRETS}/secret-key",
        },
        secrets={
            **_index_secrets(index),
            "access-key": pulumi.Output.from_input(access_key),
            "secret-key": secret_key,
        },
        networks=[index.args.network, outside],
        ready=[index.ready],
    )


def _index_secrets(index: Index) -> dict[str, pulumi.Output[str]]:
    return {_PASSWORD: index.args.password, _AUTHORITY: index.args.seed.apply(patroni.authority)}


def _environment(index: Index) -> dict[str, str]:
    hosts = [host.target.name for host in index.args.hosts]
    return {
        "FILE_TRANSFER_POSTGRES_HOSTS": patroni.addresses(hosts),
        "FILE_TRANSFER_POSTGRES_PASSWORD_FILE": f"{SECRETS}/{_PASSWORD}",
        "FILE_TRANSFER_POSTGRES_AUTHORITY_FILE": f"{SECRETS}/{_AUTHORITY}",
        "FILE_TRANSFER_POSTGRES_CONNECTIONS": str(connections.per_worker(index.args.replicas)),
        # A write needs one standby, also if there are two: Patroni makes one of them synchronous.
        "FILE_TRANSFER_POSTGRES_STANDBYS": str(min(1, len(hosts) - 1)),
        "FILE_TRANSFER_POSTGRES_PATIENCE": str(index.args.cluster.patience),
        "FILE_TRANSFER_WORKERS": str(connections.WORKERS),
        # Each transfer keeps several buffers of 4 MiB in memory, so the memory limit allows only this many.
        "FILE_TRANSFER_THREADS": "20",
    }
