"""Alertmanager: groups Prometheus's alerts and sends them where the settings say."""

from dataclasses import dataclass

import pulumi

from . import users
from .endpoint import Endpoint
from .host import Host
from .mounts import SECRETS
from .overlay import OverlayNetwork
from .single_writer import single_writer_service
from .swarm import SwarmCluster
from .swarm_file import SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmServiceArgs

PORT = 9093

_CONFIG = "alertmanager.yml"
_DATA = "/alertmanager"


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """`config` is the text of the configuration file, a secret because it has receivers' addresses and passwords."""

    cluster: SwarmCluster
    network: OverlayNetwork
    host: Host
    image: str
    config: pulumi.Output[str]


class Alertmanager(pulumi.ComponentResource):
    """Runs one Alertmanager on one host. Silences and the notification log are on a volume and survive a restart."""

    ready: pulumi.Output[str]
    endpoint: Endpoint

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:alertmanager:Alertmanager", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        config = SwarmSecret(
            f"{name}-config",
            SwarmSecretArgs(cluster=args.cluster, content=args.config, file_name=_CONFIG, uid=users.ALERTMANAGER),
            opts=child,
        )
        service = single_writer_service(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.alone(users.ALERTMANAGER),
                command=[
                    "/bin/alertmanager",
                    f"--config.file={SECRETS}/{_CONFIG}",
                    f"--storage.path={_DATA}",
                    f"--web.listen-address=:{PORT}",
                    "--cluster.listen-address=",  # there is only one Alertmanager, so it needs no peers
                    "--log.level=warn",
                ],
                secrets=[config],
                healthcheck=Healthcheck.by_wget(PORT, "/-/ready"),
                resources=Resources(cpus=0.25, memory=128, reserved_cpus=0.02, reserved_memory=32),
            ),
            host=args.host,
            data=_DATA,
            parent=self,
        )
        self.ready = service.ready
        self.endpoint = Endpoint(service=name, port=PORT, ready=service.ready)
        self.register_outputs({"ready": self.ready})
