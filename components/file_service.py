"""The file service: replicas of the Bottle program, and the volume that they share."""

from dataclasses import dataclass
from pathlib import Path

import pulumi

from components.host import Host
from components.image import RegistryArgs, ServiceImage, ServiceImageArgs
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.volume import OwnedVolume, OwnedVolumeArgs

PORT = 8080
"""Where a replica listens."""

_CONTEXT = Path("services/file_transfer")  # relative, so that a moved checkout changes nothing in Pulumi's state
_OWNER = 10001


@dataclass(frozen=True, kw_only=True)
class FileServiceArgs:
    """`storage_host` holds the volume, and so the replicas; `max_file_bytes` bounds one file.

    `volume_image` is any image that has a `chown`: the volume is given to the service's user with it.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    storage_host: Host
    python_image: str
    volume_image: str
    replicas: int
    max_file_bytes: int
    ready_timeout: int
    registry: RegistryArgs | None = None


class FileService(pulumi.ComponentResource):
    """Replicas that all see every file, since they run where the one volume is.

    The volume is never deleted by a change of the service: only `pulumi destroy` takes the files away.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: FileServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:files:FileService", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        volume = OwnedVolume(
            f"{name}-volume",
            OwnedVolumeArgs(
                cluster=args.cluster, host=args.storage_host, name=name, owner=_OWNER, image=args.volume_image
            ),
            opts=child,
        )
        image = ServiceImage(
            f"{name}-image",
            ServiceImageArgs(
                repository="swarm-transfer/file-transfer",
                context=_CONTEXT,
                hosts=[args.storage_host],
                build_args={"PYTHON_IMAGE": args.python_image},
                registry=args.registry,
            ),
            opts=child,
        )
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=image.reference,
                user=f"{_OWNER}:{_OWNER}",
                replicas=args.replicas,
                environment={
                    "FILE_TRANSFER_DATA": "/data",
                    "FILE_TRANSFER_MAX_FILE_BYTES": str(args.max_file_bytes),
                },
                volumes={name: "/data"},
                tmpfs={"/tmp": 64},  # noqa: S108 - a path in the container
                constraints=[args.storage_host.only_here],
                healthcheck=Healthcheck(command=["python3", "-m", "file_transfer.healthcheck"], interval=5, timeout=5),
                resources=Resources(cpus=1.0, memory=512, reserved_cpus=0.1, reserved_memory=128),
                ready_timeout=args.ready_timeout,
                after=[volume],  # Swarm would make a missing volume by itself, on the wrong terms
            ),
            opts=child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})
