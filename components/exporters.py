"""The metrics of every node and of its containers: one task of node-exporter and one of cAdvisor per node."""

from dataclasses import dataclass

import pulumi

from . import container_api, users
from .commands import create_image_folder, remove_image_folder
from .container_api import ContainerApi, ContainerApiArgs
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

NODE_EXPORTER_PORT = 9100
CADVISOR_PORT = 8080

_HOST = "/host"

# /proc/net always shows the network namespace of the process that reads it, which for node-exporter is its container's.
# These single files of the host form a /proc in which `net` is that of the host's first process. So node-exporter needs
# neither the host's network namespace, nor a port there, nor any privilege.
_HOST_PROC = {
    **{f"/proc/{name}": f"{_HOST}/proc/{name}" for name in ("diskstats", "loadavg", "meminfo", "stat")},
    **{f"/proc/1/{name}": f"{_HOST}/proc/1/{name}" for name in ("mountinfo", "mounts")},
    "/proc/1/net": f"{_HOST}/proc/net",
}
# Where the host's filesystems are mounted is not known here, so node-exporter gets the host's root with all below it.
# Empty filesystems cover the parts that it does not measure: processes and their files in /proc, sockets in /run,
# devices, and the folders where people and programs keep secrets. Docker's own folder is closed to it.
_COVERED = ("dev", "etc", "home", "proc", "root", "run", "sys")
_UNMEASURED = f"^/({'|'.join(_COVERED)}|var/lib/docker/.+)($|/)"
_COLLECTORS = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "netdev", "time")
_IMAGES = "/var/lib/docker/image"
"""Where an Engine with an image store of its own records each container's root file system."""

_SERVICE = "container_label_com_docker_swarm_service_name"
_SWARM_LABELS = ",".join(f"com.docker.swarm.{name}" for name in ("service.name", "task.name"))


@dataclass(frozen=True, kw_only=True)
class ExportersArgs:
    """`api_network` should be internal, and `haproxy_image` is what stands between cAdvisor and the Engine.

    `housekeeping` is the interval at which cAdvisor reads the containers' metrics, in seconds.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    api_network: OverlayNetwork
    haproxy_image: str
    node_exporter_image: str
    cadvisor_image: str
    housekeeping: int


class Exporters(pulumi.ComponentResource):
    """Runs both exporters on every node, new ones included. They are reachable on the overlay network only.

    Neither has the Engine's socket. cAdvisor asks the node's container API, which it waits for.
    """

    ready: pulumi.Output[list[str]]

    def __init__(self, name: str, args: ExportersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:exporters:Exporters", name, {}, opts)
        self._args = args
        containers = ContainerApi(
            "container-api",
            ContainerApiArgs(
                cluster=args.cluster,
                network=args.api_network,
                image=args.haproxy_image,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        services = (self._create_node_exporter(), self._create_cadvisor(containers.ready))
        self.ready = pulumi.Output.all(containers.ready, *[service.ready for service in services])
        self.register_outputs({"ready": self.ready})

    def _create_node_exporter(self) -> SwarmService:
        args = self._args
        return SwarmService(
            "node-exporter",
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.node_exporter_image,
                user=users.alone(users.NODE_EXPORTER),
                command=[
                    "/bin/node_exporter",
                    f"--web.listen-address=:{NODE_EXPORTER_PORT}",
                    f"--path.procfs={_HOST}/proc",
                    f"--path.rootfs={_HOST}/root",
                    # Netlink would report the network of the exporter's own container.
                    "--no-collector.netdev.netlink",
                    "--collector.disable-defaults",
                    *(f"--collector.{collector}" for collector in _COLLECTORS),
                    f"--collector.filesystem.mount-points-exclude={_UNMEASURED}",
                    "--log.level=warn",
                ],
                host_paths={**_HOST_PROC, "/": f"{_HOST}/root"},
                tmpfs={f"{_HOST}/root/{folder}": 1 for folder in _COVERED},
                healthcheck=Healthcheck.by_wget(NODE_EXPORTER_PORT, "/", interval=10),
                resources=Resources(cpus=0.25, memory=64, reserved_cpus=0.02, reserved_memory=24),
                stop_grace=10,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _create_cadvisor(self, api_ready: pulumi.Output[str]) -> SwarmService:
        args = self._args
        # A task with a mount whose source is missing does not start, and all hosts have the same mounts.
        folders = [
            host.command(
                f"cadvisor-folder-on-{host.target.name}",
                parent=self,
                create=create_image_folder(folder=_IMAGES, image=args.cluster.volume_image),
                delete=remove_image_folder(folder=_IMAGES, image=args.cluster.volume_image),
                after=[host.removal],
            )
            for host in args.cluster.hosts
        ]
        # A cAdvisor that starts before these sockets exist finds no container, and does not look again.
        sockets = (container_api.SOCKET, container_api.FILTERED_CONTAINERD)
        wait = "".join(f"until [ -S {socket} ]; do sleep 1; done; " for socket in sockets) + 'exec "$0" "$@"'
        return SwarmService(
            "cadvisor",
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=pulumi.Output.all(args.cadvisor_image, api_ready).apply(lambda known: str(known[0])),
                user=users.root_in(users.CADVISOR_GROUP),  # the Engine's folder of images belongs to root
                command=[
                    "sh",
                    "-c",
                    wait,
                    "/usr/bin/cadvisor",
                    f"-port={CADVISOR_PORT}",
                    "-logtostderr",
                    f"-docker=unix://{container_api.SOCKET}",
                    f"-containerd={container_api.FILTERED_CONTAINERD}",
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
                    # cAdvisor reads a container's network counters from /proc/PID/net.
                    "/proc": "/rootfs/proc",
                    _IMAGES: f"/rootfs{_IMAGES}",
                },
                volumes={container_api.VOLUME: container_api.FOLDER},
                healthcheck=Healthcheck(
                    # It would say that it is healthy if it had not found the Engine. It does not look again.
                    command=[
                        "sh",
                        "-c",
                        f"wget -q -O - http://127.0.0.1:{CADVISOR_PORT}/metrics | grep -q '{_SERVICE}=\"[^\"]'",
                    ],
                    interval=10,
                ),
                resources=Resources(cpus=0.5, memory=192, reserved_cpus=0.05, reserved_memory=64),
                stop_grace=10,
                after=folders,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
