"""Wires the cluster: settings, components, exports. The only decision made here is which storage the files get."""

import pulumi

import settings as configuration
from components import (
    alertmanager,
    data_hosts,
    grafana,
    influxdb,
    ports,
    preflight,
    prometheus,
    seaweedfs,
)
from components.alertmanager import Alertmanager, AlertmanagerArgs
from components.certificate import certificate_ends
from components.docker_api import DockerApi, DockerApiArgs
from components.edge import Edge, EdgeArgs
from components.edge_config import Limits
from components.exporters import Exporters, ExportersArgs
from components.file_service import PORT, STATUS_PORT, FileService, FileServiceArgs
from components.file_storage import BucketArgs, DirectoryArgs, IndexClientArgs, ObjectStoreStorageArgs, StorageArgs
from components.grafana import Grafana, GrafanaArgs
from components.host import Host, HostArgs
from components.image import RegistryArgs
from components.index import Index, IndexArgs
from components.influxdb import InfluxDb, InfluxDbArgs
from components.object_store import ObjectStore, ObjectStoreArgs
from components.overlay import OverlayNetwork, OverlayNetworkArgs
from components.prometheus import Prometheus, PrometheusArgs
from components.quorum import voters
from components.swarm import SwarmCluster, SwarmClusterArgs
from components.tokens import TokenArgs
from monitoring import promtool
from monitoring.alertmanager import configuration as alertmanager_configuration
from monitoring.configuration import PrometheusFilesArgs, prometheus_files
from monitoring.dashboards import dashboard_files

settings = configuration.load()
monitoring = settings.monitoring
targets = configuration.ssh_targets(settings)
file_service = settings.file_service
consoles = {
    name: module
    for name, module in (("prometheus", prometheus), ("alertmanager", alertmanager), ("grafana", grafana))
    if name in monitoring.publish
}
statistics_port = configuration.PUBLISHED_PORTS["edge"] if "edge" in monitoring.publish else None
database_ports = configuration.DATABASE_PORTS if "influxdb" in monitoring.publish else {}
holders_of = preflight.check(
    list(targets.values()),
    preflight.Plan(
        stack=pulumi.get_stack(),
        managers=[host.name for host in settings.managers],
        data=data_hosts.kinds(
            storage=file_service.storage,
            managers=[host.name for host in settings.managers],
            workers=[host.name for host in settings.hosts if host.role == "worker"],
            monitoring_host=monitoring.host,
            storage_host=file_service.storage_host,
            index_hosts=file_service.index_hosts,
        ),
        ports=ports.published(
            edge=settings.edge_port,
            consoles={
                **{name: configuration.PUBLISHED_PORTS[name] for name in consoles},
                **({"edge": statistics_port} if statistics_port else {}),
            },
            databases={f"influxdb-{database}": port for database, port in database_ports.items()},
        ),
    ),
)
prometheus_folder = prometheus_files(
    PrometheusFilesArgs(
        cluster=pulumi.get_stack(),
        scrape_interval=f"{monitoring.scrape_interval}s",
        nodes=[host.name for host in settings.hosts],
        tasks=configuration.expected_tasks(settings, holders_of),
        alert_for=settings.alerting.for_,
        certificates=certificate_ends(settings.edge_certificate),
    )
)
promtool.check(prometheus_folder)

hosts = {
    host.name: Host(
        host.name,
        HostArgs(
            target=targets[host.name],
            role=host.role,
            labels=host.labels,
            upstream_images=tuple(sorted(set(settings.images.model_dump().values()))),
        ),
    )
    for host in settings.hosts
}
cluster = SwarmCluster(
    "swarm", SwarmClusterArgs(hosts=list(hosts.values()), stack=pulumi.get_stack(), data_hosts=holders_of)
)
network = OverlayNetwork(
    "cluster-net",
    OverlayNetworkArgs(
        cluster=cluster,
        name="ClusterNet",
        subnet=settings.network.subnet,
        encrypted=settings.network.encrypted,
    ),
)
registry = (
    RegistryArgs(
        address=settings.registry.address,
        username=settings.registry.username,
        password=configuration.secret(settings.registry.password),
    )
    if settings.registry
    else None
)
scraped = [network]
services: list[pulumi.Output[str]] = []
storage: StorageArgs
if file_service.storage == "directory":
    storage = DirectoryArgs(host=hosts[holders_of[data_hosts.FILES][0]], image=settings.images.haproxy)
else:
    assert settings.postgres_password  # noqa: S101 - the settings are validated
    postgres_password = configuration.secret(settings.postgres_password)
    storage_network = OverlayNetwork(
        "storage-net",
        OverlayNetworkArgs(
            cluster=cluster,
            name="StorageNet",
            subnet=settings.network.storage_subnet,
            encrypted=settings.network.encrypted,
            internal=True,
        ),
    )
    scraped.append(storage_network)
    services.append(
        Index(
            "index",
            IndexArgs(
                cluster=cluster,
                network=storage_network,
                hosts=[hosts[name] for name in holders_of[data_hosts.INDEX]],
                etcd_hosts=[hosts[host.name] for host in voters(settings.managers)],
                debian_image=settings.images.debian,
                volume_image=settings.images.haproxy,  # every host has this image, because the edge runs on every host
                password=postgres_password,
                replicas=file_service.replicas,
                ready_timeout=settings.ready_timeout,
                registry=registry,
            ),
        ).ready
    )
    index = IndexClientArgs(hosts=holders_of[data_hosts.INDEX], password=postgres_password, network=storage_network)
    if file_service.s3:
        assert settings.storage_key  # noqa: S101 - the settings are validated
        storage = BucketArgs(
            **file_service.s3.model_dump(), index=index, secret_key=configuration.secret(settings.storage_key)
        )
    else:
        services.append(
            ObjectStore(
                "object-store",
                ObjectStoreArgs(
                    cluster=cluster,
                    network=storage_network,
                    hosts=list(hosts.values()),
                    image=settings.images.seaweedfs,
                    volume_image=settings.images.haproxy,
                    copies=file_service.copies,
                    ready_timeout=settings.ready_timeout,
                ),
            ).ready
        )
        masters = [seaweedfs.master_name(host.name) for host in voters(settings.managers)]
        storage = ObjectStoreStorageArgs(index=index, masters=masters, copies=file_service.copies)
files = FileService(
    "files",
    FileServiceArgs(
        cluster=cluster,
        network=network,
        storage=storage,
        storage_ready=list(services),
        hosts=list(hosts.values()),
        python_image=settings.images.python,
        replicas=file_service.replicas,
        max_file_bytes=file_service.max_file_bytes,
        quota_bytes=file_service.quota_bytes,
        min_free_bytes=file_service.min_free_bytes,
        grace=file_service.grace,
        tokens=None
        if settings.tokens is None
        else {
            name: TokenArgs(token=configuration.secret(holder.token), scopes=holder.scopes)
            for name, holder in settings.tokens.items()
        },
        ready_timeout=settings.ready_timeout,
        registry=registry,
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
        backend_status_port=STATUS_PORT,
        backend_replicas=file_service.replicas,
        backend_ready=files.ready,
        max_file_bytes=file_service.max_file_bytes,
        operator_password=configuration.secret(settings.operator_password),
        ready_timeout=settings.ready_timeout,
        limits=Limits(**settings.edge_limits.model_dump()),
        consoles={configuration.PUBLISHED_PORTS[name]: f"{name}:{module.PORT}" for name, module in consoles.items()},
        statistics_port=statistics_port,
        certificate=configuration.secret(settings.edge_certificate) if settings.edge_certificate else None,
    ),
)

exporters = Exporters(
    "exporters",
    ExportersArgs(
        cluster=cluster,
        network=network,
        node_exporter_image=settings.images.node_exporter,
        cadvisor_image=settings.images.cadvisor,
        housekeeping=monitoring.scrape_interval,
        ready_timeout=settings.ready_timeout,
    ),
)
api_network = OverlayNetwork(
    "api-net",
    OverlayNetworkArgs(cluster=cluster, name="DockerApiNet", subnet=settings.network.api_subnet, internal=True),
)
docker_api = DockerApi(
    "docker-api",
    DockerApiArgs(
        cluster=cluster, network=api_network, image=settings.images.haproxy, ready_timeout=settings.ready_timeout
    ),
)
databases = {
    database: InfluxDb(
        f"influxdb-{database}",
        InfluxDbArgs(
            cluster=cluster,
            network=network,
            host=hosts[holders_of[data_hosts.MONITORING][0]],
            image=settings.images.influxdb,
            database=database,
            retention=monitoring.retention,
            writer_password=configuration.secret(settings.influxdb_writer_password),
            reader_password=configuration.secret(settings.influxdb_reader_password),
            ready_timeout=settings.ready_timeout,
            ports={port: influxdb.PORT} if database in database_ports else {},
        ),
    )
    for database, port in configuration.DATABASE_PORTS.items()
}
alerts = Alertmanager(
    "alertmanager",
    AlertmanagerArgs(
        cluster=cluster,
        network=network,
        host=hosts[holders_of[data_hosts.MONITORING][0]],
        image=settings.images.alertmanager,
        config=pulumi.Output.secret(alertmanager_configuration(settings.alerting)),
        ready_timeout=settings.ready_timeout,
    ),
)
metrics = Prometheus(
    "prometheus",
    PrometheusArgs(
        cluster=cluster,
        networks=[*scraped, api_network],
        host=hosts[holders_of[data_hosts.MONITORING][0]],
        image=settings.images.prometheus,
        files=prometheus_folder,
        writer_password=configuration.secret(settings.influxdb_writer_password),
        databases_ready=pulumi.Output.all(*[database.ready for database in databases.values()]),
        ready_timeout=settings.ready_timeout,
    ),
)
services += [files.ready, edge.ready, docker_api.ready, alerts.ready, metrics.ready]
if monitoring.grafana:
    services.append(
        Grafana(
            "grafana",
            GrafanaArgs(
                cluster=cluster,
                network=network,
                host=hosts[holders_of[data_hosts.MONITORING][0]],
                image=settings.images.grafana,
                dashboards=dashboard_files(),
                databases={f"influxdb-{database}": database for database in databases},
                reader_password=configuration.secret(settings.influxdb_reader_password),
                operator_password=configuration.secret(settings.operator_password),
                ready_timeout=settings.ready_timeout,
            ),
        ).ready
    )

pulumi.export("hosts", {host.name: f"{host.address} ({host.role})" for host in settings.hosts})
scheme = "https" if settings.edge_certificate else "http"
pulumi.export("addresses", [f"{scheme}://{host.address}:{settings.edge_port}" for host in settings.hosts])
pulumi.export("services", pulumi.Output.all(*services, *[d.ready for d in databases.values()], exporters.ready))
