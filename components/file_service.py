"""The file service: replicas of the Bottle program, and their shared storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi

from components.host import Host
from components.image import RegistryArgs, ServiceImage, ServiceImageArgs
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmSecret, SwarmSecretArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.tokens import TokenArgs, tokens_file
from components.volume import OwnedVolume, OwnedVolumeArgs

PORT = 8080
"""The port on which a replica listens."""

_CONTEXT = Path("services/file_transfer")  # relative, so that Pulumi's state is the same in every checkout
_UID = 10001
_TOKENS = "tokens"
_AFTER_GRACE = 10  # seconds that a replica gets after `grace` to exit before Swarm kills it


@dataclass(frozen=True, kw_only=True)
class DirectoryArgs:
    """Storage in one volume on one host, where all replicas then run. `image` is any image with a `chown`."""

    host: Host
    image: str


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """Storage in a bucket of an object store that speaks S3, which the replicas reach over `networks`."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: pulumi.Output[str]
    region: str = "us-east-1"
    prefix: str = ""
    networks: Sequence[OverlayNetwork] = ()


@dataclass(frozen=True, kw_only=True)
class FileServiceArgs:
    """Sizes are in bytes; a `quota_bytes` or `min_free_bytes` of 0 means no limit.

    `grace` is how long running transfers may go on when a replica is stopped; it and `ready_timeout` are in seconds.
    `tokens` are the tokens that give access, by name: with None everybody may use the service, with {} nobody.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    storage: DirectoryArgs | BucketArgs
    hosts: Sequence[Host]
    python_image: str
    replicas: int
    max_file_bytes: int
    quota_bytes: int
    min_free_bytes: int
    grace: int
    ready_timeout: int
    tokens: Mapping[str, TokenArgs] | None = None
    registry: RegistryArgs | None = None


class FileService(pulumi.ComponentResource):
    """Runs replicas that all serve every file: on any host with a bucket, on the directory's host with a directory.

    A change of the service never deletes a directory's volume. Only `pulumi destroy`, or another host for it, does.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: FileServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:files:FileService", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        storage = (
            self._directory(args.storage) if isinstance(args.storage, DirectoryArgs) else self._bucket(args.storage)
        )
        image = ServiceImage(
            f"{name}-image",
            ServiceImageArgs(
                repository="swarm-transfer/file-transfer",
                context=_CONTEXT,
                hosts=storage.hosts,
                build_args={"PYTHON_IMAGE": args.python_image},
                registry=args.registry,
            ),
            opts=self._child,
        )
        tokens = self._secrets({} if args.tokens is None else {_TOKENS: tokens_file(args.tokens)})
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network, *storage.networks],
                image=image.reference,
                user=f"{_UID}:{_UID}",
                replicas=args.replicas,
                command=["python3", "-m", "file_transfer"],
                environment={
                    **storage.environment,
                    **({"FILE_TRANSFER_TOKENS_FILE": f"/run/secrets/{_TOKENS}"} if tokens else {}),
                    "FILE_TRANSFER_MAX_FILE_BYTES": str(args.max_file_bytes),
                    "FILE_TRANSFER_QUOTA_BYTES": str(args.quota_bytes),
                    "FILE_TRANSFER_MIN_FREE_BYTES": str(args.min_free_bytes),
                    "FILE_TRANSFER_GRACE_SECONDS": str(args.grace),
                },
                secrets=[*storage.secrets, *tokens],
                volumes=storage.volumes,
                tmpfs={"/tmp": 64},  # noqa: S108 - a path in the container
                constraints=storage.constraints,
                healthcheck=Healthcheck(command=["python3", "-m", "file_transfer.healthcheck"], interval=5, timeout=5),
                resources=Resources(cpus=1.0, memory=512, reserved_cpus=0.1, reserved_memory=128),
                stop_grace=args.grace + _AFTER_GRACE,
                ready_timeout=args.ready_timeout,
                after=storage.after,
            ),
            opts=self._child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})

    def _directory(self, directory: DirectoryArgs) -> "_Storage":
        volume = OwnedVolume(
            f"{self._name}-volume",
            OwnedVolumeArgs(
                cluster=self._args.cluster,
                host=directory.host,
                name=self._name,
                owner=_UID,
                image=directory.image,
            ),
            opts=self._child,
        )
        return _Storage(
            hosts=[directory.host],
            environment={"FILE_TRANSFER_DATA": "/data"},
            volumes={self._name: "/data"},
            constraints=[directory.host.constraint],
            after=[volume],  # Swarm would create a missing volume itself, owned by root
        )

    def _bucket(self, bucket: BucketArgs) -> "_Storage":
        keys = {"access-key": pulumi.Output.from_input(bucket.access_key), "secret-key": bucket.secret_key}
        return _Storage(
            hosts=self._args.hosts,
            environment={
                "FILE_TRANSFER_STORAGE": "s3",
                "FILE_TRANSFER_S3_ENDPOINT": bucket.endpoint,
                "FILE_TRANSFER_S3_BUCKET": bucket.bucket,
                "FILE_TRANSFER_S3_REGION": bucket.region,
                "FILE_TRANSFER_S3_PREFIX": bucket.prefix,
                "FILE_TRANSFER_S3_ACCESS_KEY_FILE": "/run/secrets/access-key",
                "FILE_TRANSFER_S3_SECRET_KEY_FILE": "/run/secrets/secret-key",
                # Each transfer keeps several pieces of 4 MiB in memory, so the memory limit allows only this many.
                "FILE_TRANSFER_THREADS": "20",
            },
            secrets=self._secrets(keys),
            networks=bucket.networks,
        )

    def _secrets(self, contents: Mapping[str, pulumi.Output[str]]) -> list[SwarmSecret]:
        return [
            SwarmSecret(
                f"{self._name}-{file_name}",
                SwarmSecretArgs(cluster=self._args.cluster, content=content, file_name=file_name, uid=_UID),
                opts=self._child,
            )
            for file_name, content in contents.items()
        ]


@dataclass(frozen=True, kw_only=True)
class _Storage:
    """The parts of the service that depend on the kind of storage."""

    hosts: Sequence[Host]
    environment: Mapping[str, str]
    secrets: Sequence[SwarmSecret] = ()
    networks: Sequence[OverlayNetwork] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    constraints: Sequence[str] = ()
    after: Sequence[pulumi.Resource] = ()
