"""The metrics of every node and of its containers: one task of node-exporter and one of cAdvisor per node."""

from dataclasses import dataclass

import pulumi

from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

NODE_EXPORTER_PORT = 9100
CADVISOR_PORT = 8080

_NOBODY = "65534:65534"
_HOST = "/host"

# /proc/net always shows the network namespace of the process that reads it, which for node-exporter is its container's.
# These single files of the host form a /proc in which `net` is that of the host's first process. So node-exporter needs
# neither the host's network namespace, nor a port there, nor any privilege.
_HOST_PROC = {
    **{f"/proc/{name}": f"{_HOST}/proc/{name}" for name in ("diskstats", "loadavg", "meminfo", "stat")},
    **{f"/proc/1/{name}": f"{_HOST}/proc/1/{name}" for name in ("mountinfo", "mounts")},
    "/proc/1/net": f"{_HOST}/proc/net",
}
_COLLECTORS = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev")
_SWARM_LABELS = ",".join(f"com.docker.swarm.{name}" for name in ("service.name", "task.name"))


@dataclass(frozen=True, kw_only=True)
class ExportersArgs:
    """`housekeeping` is the interval at which cAdvisor reads the containers' metrics, in seconds."""

    cluster: SwarmCluster
    network: OverlayNetwork
    node_exporter_image: str
    cadvisor_image: str
    housekeeping: int


class Exporters(pulumi.ComponentResource):
    """Runs both exporters on every node, new ones included. They are reachable on the overlay network only."""

    ready: pulumi.Output[list[str]]

    def __init__(self, name: str, args: ExportersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:exporters:Exporters", name, {}, opts)
        self._args = args
        services = (self._create_node_exporter(), self._create_cadvisor())
        self.ready = pulumi.Output.all(*[service.ready for service in services])
        self.register_outputs({"ready": self.ready})

    def _create_node_exporter(self) -> SwarmService:
        args = self._args
        return SwarmService(
            "node-exporter",
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.node_exporter_image,
                user=_NOBODY,
                command=[
                    "/bin/node_exporter",
                    f"--web.listen-address=:{NODE_EXPORTER_PORT}",
                    f"--path.procfs={_HOST}/proc",
                    f"--path.rootfs={_HOST}/root",
                    # Netlink would report the network of the exporter's own container.
                    "--no-collector.netdev.netlink",
                    "--collector.disable-defaults",
                    *(f"--collector.{collector}" for collector in _COLLECTORS),
                    "--log.level=warn",
                ],
                host_paths={**_HOST_PROC, "/": f"{_HOST}/root"},
                healthcheck=Healthcheck.by_wget(NODE_EXPORTER_PORT, "/", interval=10),
                resources=Resources(cpus=0.25, memory=64, reserved_cpus=0.02, reserved_memory=24),
                stop_grace=10,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_cadvisor(self) -> SwarmService:
        args = self._args
        return SwarmService(
            "cadvisor",
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.cadvisor_image,
                # The Engine's socket belongs to root. Root without capabilities may read it and /proc, and little else.
                user="0:0",
                command=[
                    "/usr/bin/cadvisor",
                    f"-port={CADVISOR_PORT}",
                    "-logtostderr",
                    "-docker_only=true",
                    "-enable_metrics=cpu,memory,network",
                    "-store_container_labels=false",
                    f"-whitelisted_container_labels={_SWARM_LABELS}",
                    f"-housekeeping_interval={args.housekeeping}s",
                    "-allow_dynamic_housekeeping=false",
                    "-jitter_factor=0",  # otherwise cAdvisor makes each interval up to twice as long
                    "-global_housekeeping_interval=2m",
                    "-storage_duration=1m",
                ],
                host_paths={
                    "/sys": "/sys",
                    "/var/run/docker.sock": "/var/run/docker.sock",
                    # cAdvisor reads a container's network counters from /proc/PID/net.
                    "/proc": "/rootfs/proc",
                    "/var/lib/docker/image": "/rootfs/var/lib/docker/image",
                },
                healthcheck=Healthcheck.by_wget(CADVISOR_PORT, "/healthz", interval=10),
                resources=Resources(cpus=0.5, memory=192, reserved_cpus=0.05, reserved_memory=64),
                stop_grace=10,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
