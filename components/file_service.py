"""The file service: replicas of the Bottle program, and the storage that they share."""

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
"""Where a replica listens."""

_CONTEXT = Path("services/file_transfer")  # relative, so that a moved checkout changes nothing in Pulumi's state
_OWNER = 10001
_TOKENS = "tokens"
_AFTER_GRACE = 10  # seconds, for a replica to end by itself before it is killed


@dataclass(frozen=True, kw_only=True)
class DirectoryArgs:
    """One volume on one host, which so has all replicas; `image` is any that has a `chown`."""

    host: Host
    image: str


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """A bucket of an object store that speaks S3, which the replicas reach over `networks`."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: pulumi.Output[str]
    region: str = "us-east-1"
    prefix: str = ""
    networks: Sequence[OverlayNetwork] = ()


@dataclass(frozen=True, kw_only=True)
class FileServiceArgs:
    """Sizes are in bytes, 0 for no quota and no room to be left; `grace` is the seconds that transfers get to end.

    `tokens` says by name who may use it; without it, everybody may; empty, nobody.
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
    """Replicas that all see every file: in a bucket from any host, in a directory from the one host that has it.

    A directory's volume is never deleted by a change of the service: only `pulumi destroy` takes the files away.
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
                user=f"{_OWNER}:{_OWNER}",
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
                owner=_OWNER,
                image=directory.image,
            ),
            opts=self._child,
        )
        return _Storage(
            hosts=[directory.host],
            environment={"FILE_TRANSFER_DATA": "/data"},
            volumes={self._name: "/data"},
            constraints=[directory.host.only_here],
            after=[volume],  # Swarm would make a missing volume by itself, on the wrong terms
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
                # Each transfer holds some pieces of 4 MiB: as many as there is memory for.
                "FILE_TRANSFER_THREADS": "20",
            },
            secrets=self._secrets(keys),
            networks=bucket.networks,
        )

    def _secrets(self, contents: Mapping[str, pulumi.Output[str]]) -> list[SwarmSecret]:
        return [
            SwarmSecret(
                f"{self._name}-{file_name}",
                SwarmSecretArgs(cluster=self._args.cluster, content=content, file_name=file_name, uid=_OWNER),
                opts=self._child,
            )
            for file_name, content in contents.items()
        ]


@dataclass(frozen=True, kw_only=True)
class _Storage:
    """What a kind of storage means for the service."""

    hosts: Sequence[Host]
    environment: Mapping[str, str]
    secrets: Sequence[SwarmSecret] = ()
    networks: Sequence[OverlayNetwork] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    constraints: Sequence[str] = ()
    after: Sequence[pulumi.Resource] = ()
