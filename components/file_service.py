"""The file service: replicas of the Bottle program, and the volume that they share."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker

from components.commands import HOST_LABEL
from components.host import Host
from components.image import RegistryArgs, ServiceImage, ServiceImageArgs
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

PORT = 8080
"""Where a replica listens."""

_CONTEXT = Path("services/file_transfer")  # relative, so that a moved checkout changes nothing in Pulumi's state
_USER = "10001:10001"


@dataclass(frozen=True, kw_only=True)
class FileServiceArgs:
    """`storage_host` holds the volume, and so the replicas; `max_file_bytes` bounds one file."""

    cluster: SwarmCluster
    network: OverlayNetwork
    storage_host: Host
    python_image: str
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
        volume = docker.Volume(
            f"{name}-volume",
            name=name,
            opts=pulumi.ResourceOptions(
                parent=self, provider=args.storage_host.provider, depends_on=args.cluster.nodes
            ),
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
                # Both are waited for: Swarm would make a missing volume by itself, on the wrong terms.
                image=pulumi.Output.all(image.reference, volume.id).apply(lambda known: str(known[0])),
                user=_USER,
                replicas=args.replicas,
                environment={
                    "FILE_TRANSFER_DATA": "/data",
                    "FILE_TRANSFER_MAX_FILE_BYTES": str(args.max_file_bytes),
                },
                volumes={name: "/data"},
                tmpfs={"/tmp": 64},  # noqa: S108 - a path in the container
                constraints=[f"node.labels.{HOST_LABEL}=={args.storage_host.target.name}"],
                healthcheck=Healthcheck(command=["python3", "-m", "file_transfer.healthcheck"], interval=5, timeout=5),
                resources=Resources(cpus=1.0, memory=512, reserved_cpus=0.1, reserved_memory=128),
                ready_timeout=args.ready_timeout,
            ),
            opts=child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})
