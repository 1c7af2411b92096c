"""Wires the cluster, in the order of the picture in the README: hosts, swarm, storage, files, edge, monitoring."""

import pulumi

import settings as configuration
from components import container_api, preflight, ssh
from components.edge import Edge, EdgeArgs
from components.edge_config import Limits
from components.host import Host, HostArgs
from components.overlay import OverlayNetwork, OverlayNetworkArgs
from components.registry import Registry
from components.swarm import SwarmCluster, SwarmClusterArgs
from settings import secret, topology
from wiring.backup import create_backup
from wiring.files import create_file_service
from wiring.firewall import create_firewall
from wiring.monitoring import checked_prometheus_files, monitoring_of
from wiring.storage import create_storage

settings = configuration.load()
targets = configuration.ssh_targets(settings)
gone = [targets[host.name] for host in settings.gone_hosts]
found = preflight.check(
    [targets[host.name] for host in settings.present_hosts],
    topology.plan(settings, stack=pulumi.get_stack()),
    gone=gone,
)
ssh.record_gone(gone, pulumi.get_stack())
planned = topology.describe(settings, found.data_hosts)
prometheus_files = checked_prometheus_files(settings, planned)

registry = (
    Registry(
        address=settings.registry.address,
        username=settings.registry.username,
        password=secret(settings.registry.password),
    )
    if settings.registry
    else None
)
hosts = [
    Host(
        host.name,
        HostArgs(
            target=targets[host.name],
            platform=found.platforms[host.name],
            role=host.role,
            labels=host.labels,
            upstream_images=tuple(sorted(set(settings.images.model_dump().values()))),
            early_images=(settings.images.haproxy,),  # the edge gives up its host's port before it starts anew
            scratch_volume=container_api.VOLUME,
            registry=registry,
        ),
    )
    for host in settings.present_hosts
]
cluster = SwarmCluster(
    "swarm",
    SwarmClusterArgs(
        hosts=hosts,
        stack=pulumi.get_stack(),
        data_hosts=found.data_hosts,
        storage=planned.storage,
        gone=[host.name for host in settings.gone_hosts],
        autolock=settings.autolock,
        before_joining=create_firewall(settings, planned, hosts, registry),
        volume_image=settings.images.haproxy,  # every host has it, because the edge runs on every host
        pool=settings.network.pool,
        ready_timeout=settings.ready_timeout,
        patience=settings.patience,
        registry=registry,
    ),
)
networks = {
    network.name: OverlayNetwork(
        network.name,
        OverlayNetworkArgs(
            cluster=cluster,
            name=network.docker_name,
            subnet=network.subnet,
            mtu=found.mtu,
            encrypted=settings.network.encrypted,
            internal=network.internal,
        ),
    )
    for network in planned.networks
}
storage = create_storage(settings, planned, cluster, networks)
files = create_file_service(settings, cluster, networks, storage)
edge = Edge(
    "edge",
    EdgeArgs(
        cluster=cluster,
        networks=[networks[name] for name in planned.services["edge"].networks],
        image=settings.images.haproxy,
        port=settings.edge_port,
        backend=files.backend,
        max_file_bytes=settings.file_service.max_file_bytes,
        operator_password=secret(settings.operator_password),
        limits=Limits(**settings.edge_limits.model_dump()),
        consoles=planned.consoles,
        databases=planned.databases,
        statistics_port=planned.statistics_port,
        certificate=secret(settings.edge_certificate) if settings.edge_certificate else None,
    ),
)
monitoring = monitoring_of(settings, planned, cluster, networks, prometheus_files)
backup = create_backup(settings, planned, cluster, networks, storage, files, monitoring.databases)

pulumi.export(
    "hosts", {host.name: {"address": str(host.address), "role": host.role} for host in settings.present_hosts}
)
if cluster.unlock_key:
    pulumi.export("unlock_key", cluster.unlock_key)
scheme = "https" if settings.edge_certificate else "http"
pulumi.export("addresses", [f"{scheme}://{host.address}:{settings.edge_port}" for host in settings.present_hosts])
backed_up = [backup.ready] if backup else []
pulumi.export("services", pulumi.Output.all(*storage.ready, files.ready, edge.ready, *monitoring.ready, *backed_up))
