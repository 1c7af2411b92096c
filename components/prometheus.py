"""Prometheus: discovers all tasks, evaluates rules and alerts, and writes the recorded metrics to both InfluxDBs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from . import users
from .commands import PROMETHEUS_FOLDER, deliver_prometheus_files
from .endpoint import Endpoint
from .host import Host
from .overlay import OverlayNetwork
from .single_writer import single_writer_service
from .swarm import SwarmCluster
from .swarm_file import SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmServiceArgs
from .volume import OwnedVolume, OwnedVolumeArgs

PORT = 9090

_DATA = "/prometheus"


@dataclass(frozen=True, kw_only=True)
class PrometheusArgs:
    """`networks` must reach the exporters and the Docker API; `files` maps a path to a configuration file's content.

    `databases_ready` resolves once the InfluxDBs are ready, because a sample that they refuse is lost.
    """

    cluster: SwarmCluster
    networks: Sequence[OverlayNetwork]
    host: Host
    image: str
    files: Mapping[str, str]
    writer_password: pulumi.Output[str]
    databases_ready: pulumi.Output[list[str]]


class Prometheus(pulumi.ComponentResource):
    """Runs one Prometheus on one host. Changed files are checked by promtool there and loaded without a restart.

    A restart while InfluxDB is down would lose the samples that are not written yet. So the files are in a volume and
    not in Swarm configs, because a changed config replaces the task.
    """

    ready: pulumi.Output[str]
    endpoint: Endpoint

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:prometheus:Prometheus", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        config = OwnedVolume(
            f"{name}-config",
            OwnedVolumeArgs(cluster=args.cluster, host=args.host, name=f"{name}-config", owner=users.PROMETHEUS),
            opts=child,
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
        service = single_writer_service(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=args.networks,
                image=pulumi.Output.all(args.image, args.databases_ready).apply(lambda known: str(known[0])),
                user=users.alone(users.PROMETHEUS),
                command=[
                    "/bin/prometheus",
                    f"--config.file={PROMETHEUS_FOLDER}/live/prometheus.yml",
                    f"--storage.tsdb.path={_DATA}",
                    "--storage.tsdb.retention.time=15d",
                    f"--web.listen-address=:{PORT}",
                    "--log.level=warn",
                ],
                secrets=[password],
                volumes={f"{name}-config": PROMETHEUS_FOLDER},
                healthcheck=Healthcheck(
                    command=["promtool", "check", "ready", f"--url=http://127.0.0.1:{PORT}"], start_period=300
                ),
                resources=Resources(cpus=1.0, memory=1024, reserved_cpus=0.2, reserved_memory=256),
                stop_grace=60,
                after=[delivered],
            ),
            host=args.host,
            data=_DATA,
            volume=data_volume(name),
            parent=self,
        )
        self.ready = service.ready
        self.endpoint = Endpoint(service=name, port=PORT, ready=service.ready)
        self.register_outputs({"ready": self.ready})


def delivery(files: Mapping[str, str]) -> str:
    """Join the files into one text for the transfer to their host, each after a line `==> PATH <==`."""
    return "".join(f"==> {path} <==\n{content.rstrip()}\n" for path, content in files.items())


def data_volume(name: str) -> str:
    """Return the name of the volume with the data of the Prometheus of this name."""
    return f"{name}-data"
