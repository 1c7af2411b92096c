"""The file service: replicas of the Bottle program, and their shared storage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from . import users
from .edge_config import drain_seconds
from .endpoint import Backend
from .file_storage import DATA, FileStorage
from .host import Host
from .image import ServiceImage, ServiceImageArgs
from .mounts import SECRETS
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_file import SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from .tokens import TokenArgs, tokens_file
from .volume import OwnedVolume, OwnedVolumeArgs

PORT = 8080
"""The port on which a replica listens."""

STATUS_PORT = 8081
"""Its port for health, readiness and metrics, which only the cluster can reach."""

_TOKENS = "tokens"
_AFTER_GRACE = 10  # seconds that a replica gets after `grace` to exit before Swarm kills it


@dataclass(frozen=True, kw_only=True)
class FileServiceArgs:
    """`context` is the folder of the image's Dockerfile.

    Sizes are in bytes; a `quota_bytes` or `min_free_bytes` of 0 means no limit.

    `grace` is how long running transfers may go on when a replica is stopped, in seconds.
    `tokens` are the tokens that give access, by name: with None everybody may use the service, with {} nobody.
    `anonymous` are the scopes of a request without a token.
    `allowed_hosts` are the service's names with a dot, and `allowed_origins` other sites whose pages may use it.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    storage: FileStorage
    context: Path
    python_image: str
    replicas: int
    max_file_bytes: int
    quota_bytes: int
    min_free_bytes: int
    grace: int
    tokens: Mapping[str, TokenArgs] | None = None
    anonymous: Sequence[str] = ()
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()


class FileService(pulumi.ComponentResource):
    """Runs replicas, each of which serves every file. They run on any host; with a directory, on the host that has it.

    A change of the service never deletes a directory's volume. Only `pulumi destroy`, or a change of its host, does.
    """

    ready: pulumi.Output[str]
    backend: Backend
    volume: str
    """The volume with a directory's index and content; "" with any other storage."""

    def __init__(self, name: str, args: FileServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:file_service:FileService", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        storage = args.storage
        self.volume = name if storage.on_host else ""
        image = ServiceImage(
            f"{name}-image",
            ServiceImageArgs(
                registry=args.cluster.registry,
                repository="swarm-transfer/file-transfer",
                context=args.context,
                target="files",
                hosts=[storage.on_host] if storage.on_host else args.cluster.hosts,
                build_args={"PYTHON_IMAGE": args.python_image},
            ),
            opts=self._child,
        )
        tokens = {} if args.tokens is None else {_TOKENS: tokens_file(args.tokens)}
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network, *storage.networks],
                # A replica cannot start before the services that keep its files.
                image=pulumi.Output.all(image.reference, *storage.ready).apply(lambda known: str(known[0])),
                user=users.alone(users.FILE_SERVICE),
                replicas=args.replicas,
                command=["python3", "-m", "file_transfer"],
                environment={
                    **storage.environment,
                    **({"FILE_TRANSFER_TOKENS_FILE": f"{SECRETS}/{_TOKENS}"} if tokens else {}),
                    "FILE_TRANSFER_MAX_FILE_BYTES": str(args.max_file_bytes),
                    "FILE_TRANSFER_QUOTA_BYTES": str(args.quota_bytes),
                    "FILE_TRANSFER_MIN_FREE_BYTES": str(args.min_free_bytes),
                    "FILE_TRANSFER_GRACE_SECONDS": str(args.grace),
                    **_lists(
                        ANONYMOUS=args.anonymous, ALLOWED_HOSTS=args.allowed_hosts, ALLOWED_ORIGINS=args.allowed_origins
                    ),
                    "FILE_TRANSFER_DRAIN_SECONDS": str(drain_seconds(len(args.cluster.hosts))),
                },
                node_id_variable=storage.node_id_variable,
                secrets=self._secrets({**storage.secrets, **tokens}),
                volumes={self.volume: DATA} if self.volume else {},
                tmpfs={"/tmp": 64},  # noqa: S108 - a path in the container
                constraints=[storage.on_host.constraint] if storage.on_host else [],
                most_per_host=0 if storage.on_host else most_per_host(args.replicas, hosts=len(args.cluster.hosts)),
                healthcheck=Healthcheck(
                    command=["python3", "-m", "file_transfer.healthcheck", str(4 * args.cluster.patience)],
                    interval=5,
                    timeout=5,
                ),
                resources=Resources(cpus=1.0, memory=512, reserved_cpus=0.1, reserved_memory=128),
                stop_grace=args.grace + _AFTER_GRACE,
                after=self._volumes(storage.on_host),
            ),
            opts=self._child,
        )
        self.ready = service.ready
        self.backend = Backend(
            service=name, port=PORT, status_port=STATUS_PORT, replicas=args.replicas, ready=service.ready
        )
        self.register_outputs({"ready": self.ready})

    def _volumes(self, host: Host | None) -> list[OwnedVolume]:
        """Create the directory's volume, because Swarm would create a missing one itself, owned by root."""
        if host is None:
            return []
        owned = OwnedVolumeArgs(cluster=self._args.cluster, host=host, name=self.volume, owner=users.FILE_SERVICE)
        return [OwnedVolume(f"{self._name}-volume", owned, opts=self._child)]

    def _secrets(self, contents: Mapping[str, pulumi.Output[str]]) -> list[SwarmSecret]:
        return [
            SwarmSecret(
                f"{self._name}-{file_name}",
                SwarmSecretArgs(
                    cluster=self._args.cluster, content=content, file_name=file_name, uid=users.FILE_SERVICE
                ),
                opts=self._child,
            )
            for file_name, content in contents.items()
        ]


def _lists(**lists: Sequence[str]) -> dict[str, str]:
    """Return the environment variables of the lists that are not empty, separated by commas."""
    return {f"FILE_TRANSFER_{name}": ",".join(values) for name, values in lists.items() if values}


def most_per_host(replicas: int, *, hosts: int) -> int:
    """Return how many replicas may be on one host, with room for the additional one that an update starts first.

    Without a limit, the replicas of a lost host would move to the others, and stay there when it comes back. If all of
    them are then on the only manager and that one is lost, nothing starts them elsewhere.
    """
    return -(-(replicas + 1) // hosts)
