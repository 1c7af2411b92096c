"""All monitoring services of a cluster, as they belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from . import images, influxdb
from .alertmanager import Alertmanager, AlertmanagerArgs
from .docker_api import DockerApi, DockerApiArgs
from .exporters import Exporters, ExportersArgs
from .grafana import Grafana, GrafanaArgs
from .host import Host
from .influxdb import InfluxDb, InfluxDbArgs
from .overlay import OverlayNetwork
from .prometheus import Prometheus, PrometheusArgs
from .swarm import SwarmCluster

VMS, CONTAINERS = DATABASES = ("vms", "containers")
"""The InfluxDB databases: one has the metrics of the hosts, the other one those of the containers."""

_NO_RECEIVER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@dataclass(frozen=True, kw_only=True)
class MonitoringImages:
    """References of the images; the defaults are those that the components are tested with."""

    alertmanager: str = images.ALERTMANAGER
    cadvisor: str = images.CADVISOR
    grafana: str = images.GRAFANA
    haproxy: str = images.HAPROXY
    influxdb: str = images.INFLUXDB
    node_exporter: str = images.NODE_EXPORTER
    prometheus: str = images.PROMETHEUS


@dataclass(frozen=True, kw_only=True)
class GrafanaSettings:
    """The dashboards, a JSON text by file name, and the password of Grafana's only user, `operator`."""

    dashboards: Mapping[str, str]
    operator_password: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Everything that has data runs on `host`.

    `network` is the network of the databases and Alertmanager, `metrics_network` that of the exporters, which must have
    the name "MetricsNet" in Docker, and `api_network` an internal one for the read-only Docker APIs. Prometheus is on
    all of them and on `scraped_networks`.

    `prometheus_files` are those of `monitoring.configuration`, and `alertmanager_config` is the text of Alertmanager's.
    Without it, nobody is told of alerts. `scrape_interval` is in seconds, and `retention` an InfluxDB duration such as
    "30d". Without `grafana` there is no Grafana.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    metrics_network: OverlayNetwork
    api_network: OverlayNetwork
    host: Host
    prometheus_files: Mapping[str, str]
    writer_password: pulumi.Output[str]
    reader_password: pulumi.Output[str]
    alertmanager_config: pulumi.Output[str] | None = None
    scraped_networks: Sequence[OverlayNetwork] = ()
    scrape_interval: int = 15
    retention: str = "30d"
    grafana: GrafanaSettings | None = None
    images: MonitoringImages = field(default_factory=MonitoringImages)


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """The components that `create_monitoring` has made; `databases` has the InfluxDBs by their databases."""

    exporters: Exporters
    docker_api: DockerApi
    databases: Mapping[str, InfluxDb]
    alertmanager: Alertmanager
    prometheus: Prometheus
    grafana: Grafana | None

    @property
    def ready(self) -> list[pulumi.Output[Any]]:
        """What resolves when the services are ready, one output a component."""
        return [
            self.docker_api.ready,
            self.alertmanager.ready,
            self.prometheus.ready,
            *([self.grafana.ready] if self.grafana else []),
            *(database.ready for database in self.databases.values()),
            self.exporters.ready,
        ]


def create_monitoring(args: MonitoringArgs) -> Monitoring:
    """Create all monitoring services. They have fixed names, so a cluster has them once."""
    exporters = Exporters(
        "exporters",
        ExportersArgs(
            cluster=args.cluster,
            network=args.metrics_network,
            api_network=args.api_network,
            haproxy_image=args.images.haproxy,
            node_exporter_image=args.images.node_exporter,
            cadvisor_image=args.images.cadvisor,
            housekeeping=args.scrape_interval,
        ),
    )
    docker_api = DockerApi(
        "docker-api", DockerApiArgs(cluster=args.cluster, network=args.api_network, image=args.images.haproxy)
    )
    databases = {database: _create_database(database, args) for database in DATABASES}
    alertmanager = Alertmanager(
        "alertmanager",
        AlertmanagerArgs(
            cluster=args.cluster,
            network=args.network,
            host=args.host,
            image=args.images.alertmanager,
            config=pulumi.Output.secret(_NO_RECEIVER) if args.alertmanager_config is None else args.alertmanager_config,
        ),
    )
    prometheus = Prometheus(
        "prometheus",
        PrometheusArgs(
            cluster=args.cluster,
            networks=[args.network, args.metrics_network, *args.scraped_networks, args.api_network],
            host=args.host,
            image=args.images.prometheus,
            files=args.prometheus_files,
            writer_password=args.writer_password,
            databases_ready=pulumi.Output.all(*[database.ready for database in databases.values()]),
        ),
    )
    return Monitoring(
        exporters=exporters,
        docker_api=docker_api,
        databases=databases,
        alertmanager=alertmanager,
        prometheus=prometheus,
        grafana=_create_grafana(args.grafana, args, databases, prometheus) if args.grafana else None,
    )


def _create_database(database: str, args: MonitoringArgs) -> InfluxDb:
    name = influxdb.service_name(database)
    return InfluxDb(
        name,
        InfluxDbArgs(
            cluster=args.cluster,
            network=args.network,
            host=args.host,
            image=args.images.influxdb,
            database=database,
            retention=args.retention,
            writer_password=args.writer_password,
            reader_password=args.reader_password,
        ),
    )


def _create_grafana(
    settings: GrafanaSettings, args: MonitoringArgs, databases: Mapping[str, InfluxDb], prometheus: Prometheus
) -> Grafana:
    return Grafana(
        "grafana",
        GrafanaArgs(
            cluster=args.cluster,
            network=args.network,
            host=args.host,
            image=args.images.grafana,
            dashboards=settings.dashboards,
            databases={name: database.endpoint for name, database in databases.items()},
            prometheus=prometheus.endpoint,
            reader_password=args.reader_password,
            operator_password=settings.operator_password,
        ),
    )
