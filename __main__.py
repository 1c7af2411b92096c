"""The cluster: settings, components, exports. Nothing is decided here."""

import pulumi

import settings as configuration
from components import preflight
from components.edge import Edge, EdgeArgs
from components.file_service import PORT, FileService, FileServiceArgs
from components.host import Host, HostArgs
from components.image import RegistryArgs
from components.overlay import OverlayNetwork, OverlayNetworkArgs
from components.swarm import SwarmCluster, SwarmClusterArgs

settings = configuration.load()
targets = configuration.ssh_targets(settings)
preflight.check(list(targets.values()), managers=[host.name for host in settings.managers], stack=pulumi.get_stack())

hosts = {
    host.name: Host(
        host.name,
        HostArgs(
            target=targets[host.name],
            role=host.role,
            labels=host.labels,
            upstream_images=(settings.images.haproxy, settings.images.python),
        ),
    )
    for host in settings.hosts
}
cluster = SwarmCluster("swarm", SwarmClusterArgs(hosts=list(hosts.values()), stack=pulumi.get_stack()))
network = OverlayNetwork(
    "cluster-net",
    OverlayNetworkArgs(
        cluster=cluster,
        name="ClusterNet",
        subnet=settings.network.subnet,
        encrypted=settings.network.encrypted,
    ),
)
files = FileService(
    "files",
    FileServiceArgs(
        cluster=cluster,
        network=network,
        storage_host=hosts[settings.storage_host],
        python_image=settings.images.python,
        replicas=settings.file_service.replicas,
        max_file_bytes=settings.file_service.max_file_bytes,
        ready_timeout=settings.ready_timeout,
        registry=RegistryArgs(
            address=settings.registry.address,
            username=settings.registry.username,
            password=configuration.secret(settings.registry.password),
        )
        if settings.registry
        else None,
    ),
)
edge = Edge(
    "edge",
    EdgeArgs(
        cluster=cluster,
        network=network,
        image=settings.images.haproxy,
        port=settings.edge_port,
        backend="files",
        backend_port=PORT,
        backend_replicas=settings.file_service.replicas,
        backend_ready=files.ready,
        max_file_bytes=settings.file_service.max_file_bytes,
        operator_password=configuration.secret(settings.operator_password),
        ready_timeout=settings.ready_timeout,
    ),
)

pulumi.export("hosts", {host.name: f"{host.address} ({host.role})" for host in settings.hosts})
pulumi.export("addresses", [f"http://{host.address}:{settings.edge_port}" for host in settings.hosts])
pulumi.export("services", pulumi.Output.all(files.ready, edge.ready))
