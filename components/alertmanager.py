"""Alertmanager: groups Prometheus's alerts and sends them where the settings say."""

from dataclasses import dataclass

import pulumi

from components import users
from components.host import Host
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmSecret, SwarmSecretArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.volume import OwnedVolume, OwnedVolumeArgs

PORT = 9093

_CONFIG = "alertmanager.yml"
_DATA = "/alertmanager"


@dataclass(frozen=True, kw_only=True)
class AlertmanagerArgs:
    """`config` is Alertmanager's configuration file, a secret because it contains receivers' addresses and passwords.

    `ready_timeout` is in seconds.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    host: Host
    image: str
    config: pulumi.Output[str]
    ready_timeout: int


class Alertmanager(pulumi.ComponentResource):
    """Runs one Alertmanager on one host. Silences and the notification log are on a volume and survive a restart."""

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:alertmanager:Alertmanager", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        data = OwnedVolume(
            f"{name}-data",
            OwnedVolumeArgs(
                cluster=args.cluster, host=args.host, name=name, owner=users.ALERTMANAGER, image=args.image
            ),
            opts=child,
        )
        config = SwarmSecret(
            f"{name}-config",
            SwarmSecretArgs(cluster=args.cluster, content=args.config, file_name=_CONFIG, uid=users.ALERTMANAGER),
            opts=child,
        )
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.alone(users.ALERTMANAGER),
                replicas=1,
                command=[
                    "/bin/alertmanager",
                    f"--config.file=/run/secrets/{_CONFIG}",
                    f"--storage.path={_DATA}",
                    f"--web.listen-address=:{PORT}",
                    "--cluster.listen-address=",  # there is only one Alertmanager, so it needs no peers
                    "--log.level=warn",
                ],
                secrets=[config],
                volumes={name: _DATA},
                constraints=[args.host.constraint],
                healthcheck=Healthcheck.by_wget(PORT, "/-/ready"),
                resources=Resources(cpus=0.25, memory=128, reserved_cpus=0.02, reserved_memory=32),
                update_order="stop-first",  # two tasks on one volume would overwrite each other's silences
                ready_timeout=args.ready_timeout,
                after=[data],
            ),
            opts=child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})
