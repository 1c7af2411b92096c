"""Prometheus: discovers all tasks, evaluates rules and alerts, and writes the recorded metrics to both InfluxDBs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import users
from components.commands import deliver_prometheus_files
from components.host import Host
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_file import SwarmSecret, SwarmSecretArgs
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from components.volume import OwnedVolume, OwnedVolumeArgs
from monitoring.configuration import delivery

PORT = 9090

_FOLDER = "/etc/prometheus"
_DATA = "/prometheus"


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """`networks` must reach the exporters and the Docker API; `files` maps a path to a configuration file's content.

    `databases_ready` resolves once the InfluxDBs are ready, because a sample that they refuse is lost. `ready_timeout`
    is in seconds.
    """

    cluster: SwarmCluster
    networks: Sequence[OverlayNetwork]
    host: Host
    image: str
    files: Mapping[str, str]
    writer_password: pulumi.Output[str]
    databases_ready: pulumi.Output[list[str]]
    ready_timeout: int


class Prometheus(pulumi.ComponentResource):
    """Runs one Prometheus on one host. Changed files are checked by promtool there and loaded without a restart.

    A restart while InfluxDB is down would lose the samples that are not written yet. So the files are in a volume and
    not in Swarm configs, because a changed config replaces the task.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:prometheus:Prometheus", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        data, config = (
            OwnedVolume(
                f"{name}-{kind}",
                OwnedVolumeArgs(
                    cluster=args.cluster,
                    host=args.host,
                    name=f"{name}-{kind}",
                    owner=users.PROMETHEUS,
                    image=args.image,
                ),
                opts=child,
            )
            for kind in ("data", "config")
        )
        delivered = args.host.command(
            f"{name}-files",
            parent=self,
            create=deliver_prometheus_files(
                volume=f"{name}-config", image=args.image, owner=users.PROMETHEUS, service=name
            ),
            stdin=delivery(args.files),
            after=[config],
        )
        password = SwarmSecret(
            f"{name}-influxdb-writer",
            SwarmSecretArgs(
                cluster=args.cluster, content=args.writer_password, file_name="influxdb-writer", uid=users.PROMETHEUS
            ),
            opts=child,
        )
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=args.networks,
                image=pulumi.Output.all(args.image, args.databases_ready).apply(lambda known: str(known[0])),
                user=users.alone(users.PROMETHEUS),
                replicas=1,
                command=[
                    "/bin/prometheus",
                    f"--config.file={_FOLDER}/live/prometheus.yml",
                    f"--storage.tsdb.path={_DATA}",
                    "--storage.tsdb.retention.time=15d",
                    f"--web.listen-address=:{PORT}",
                    "--log.level=warn",
                ],
                secrets=[password],
                volumes={f"{name}-data": _DATA, f"{name}-config": _FOLDER},
                constraints=[args.host.constraint],
                healthcheck=Healthcheck(
                    command=["promtool", "check", "ready", f"--url=http://127.0.0.1:{PORT}"], start_period=300
                ),
                resources=Resources(cpus=1.0, memory=1024, reserved_cpus=0.2, reserved_memory=256),
                update_order="stop-first",  # two tasks would corrupt the volume
                stop_grace=60,
                ready_timeout=args.ready_timeout,
                after=[data, delivered],
            ),
            opts=child,
        )
        self.ready = service.ready
        self.register_outputs({"ready": self.ready})
