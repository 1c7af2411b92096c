"""A service of one's own on a swarm, with its monitoring: every host answers "hello" at port 8080."""

from ipaddress import IPv4Network
from pathlib import Path

import pulumi
from swarm_transfer.components.host import Host, HostArgs
from swarm_transfer.components.monitoring import MonitoringArgs, MonitoringImages, create_monitoring
from swarm_transfer.components.overlay import OverlayNetwork, OverlayNetworkArgs
from swarm_transfer.components.ssh import SshTarget
from swarm_transfer.components.swarm import SwarmCluster, SwarmClusterArgs
from swarm_transfer.components.swarm_file import SwarmFile, SwarmFileArgs
from swarm_transfer.components.swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs
from swarm_transfer.monitoring.configuration import PrometheusFilesArgs, prometheus_files

config, stack = pulumi.Config(), pulumi.get_stack()
images = MonitoringImages(**config.get_object("images", {}))
ssh = config.require_object("ssh")
encrypted = config.get_bool("encrypted", default=True)  # needs IPsec in the hosts' kernels
hosts = [
    Host(name, HostArgs(target=SshTarget(name=name, address=address, **ssh), role=role))
    for name, address, role in config.require_object("hosts")
]
cluster = SwarmCluster("swarm", SwarmClusterArgs(hosts=hosts, stack=stack, volume_image=images.haproxy))
networks = {
    name: OverlayNetwork(
        name,
        OverlayNetworkArgs(cluster=cluster, name=name, subnet=IPv4Network(subnet), internal=inner, encrypted=encrypted),
    )
    for name, subnet, inner in (
        ("ClusterNet", "10.0.10.0/24", False),
        ("MetricsNet", "10.0.11.0/24", True),
        ("DockerApiNet", "10.0.12.0/24", True),
    )
}
answer = SwarmFileArgs(cluster=cluster, content=Path("hello.cfg").read_text(), path="/hello.cfg")
hello = SwarmServiceArgs(
    cluster=cluster,
    networks=[networks["ClusterNet"]],
    image=images.haproxy,
    user="20001:20001",
    command=["haproxy", "-W", "-db", "-f", "/hello.cfg"],
    files=[SwarmFile("hello-cfg", answer)],
    ports={8080: 8080},
    healthcheck=Healthcheck(command=["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080"]),
    resources=Resources(cpus=0.5, memory=64, reserved_cpus=0.05, reserved_memory=32),
    update_order="stop-first",  # only one task can hold the host's port
)
names = [host.target.name for host in hosts]
expected = PrometheusFilesArgs(cluster=stack, nodes=names, tasks={"hello": len(names)}, scraped={"hello": 8080})
monitoring = MonitoringArgs(
    cluster=cluster,
    network=networks["ClusterNet"],
    metrics_network=networks["MetricsNet"],
    api_network=networks["DockerApiNet"],
    host=hosts[0],
    prometheus_files=prometheus_files(expected),
    writer_password=config.require_secret("writer_password"),
    reader_password=config.require_secret("reader_password"),
    images=images,
)
ready = [SwarmService("hello", hello).ready, *create_monitoring(monitoring).ready]
pulumi.export("ready", pulumi.Output.all(*ready))
