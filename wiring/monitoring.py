"""The monitoring: what reads metrics, where they are kept, and who is told of problems."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components import influxdb
from components.alertmanager import Alertmanager, AlertmanagerArgs
from components.certificate import certificate_ends
from components.docker_api import DockerApi, DockerApiArgs
from components.exporters import Exporters, ExportersArgs
from components.grafana import Grafana, GrafanaArgs
from components.influxdb import InfluxDb, InfluxDbArgs
from components.overlay import OverlayNetwork
from components.prometheus import Prometheus, PrometheusArgs
from components.swarm import SwarmCluster
from monitoring import promtool
from monitoring.alertmanager import configuration as alertmanager_configuration
from monitoring.configuration import PrometheusFilesArgs, prometheus_files
from monitoring.dashboards import dashboard_files
from settings import Settings, secret
from settings.topology import API_NET, CLUSTER_NET, DATABASES, METRICS_NET, Topology


def checked_prometheus_files(settings: Settings, topology: Topology) -> dict[str, str]:
    """Return Prometheus's files, with the nodes and tasks that are expected. promtool checks them if it is installed.

    Raises:
        RejectedFilesError: promtool has found an error.
    """
    files = prometheus_files(
        PrometheusFilesArgs(
            cluster=pulumi.get_stack(),
            scrape_interval=f"{settings.monitoring.scrape_interval}s",
            nodes=[host.name for host in settings.present_hosts],
            tasks={name: service.tasks for name, service in topology.services.items()},
            alert_for=settings.alerting.for_,
            certificates=certificate_ends(settings.edge_certificate),
        )
    )
    promtool.check(files)
    return files


def create_monitoring(
    settings: Settings,
    topology: Topology,
    cluster: SwarmCluster,
    networks: Mapping[str, OverlayNetwork],
    files: Mapping[str, str],
) -> list[pulumi.Output[Any]]:
    """Create all monitoring services, Prometheus with these files, and return what resolves when they are ready."""
    network = networks[CLUSTER_NET]
    host = cluster.host(topology.services["prometheus"].hosts[0])
    images = settings.images
    writer_password = secret(settings.influxdb_writer_password)
    reader_password = secret(settings.influxdb_reader_password)
    exporters = Exporters(
        "exporters",
        ExportersArgs(
            cluster=cluster,
            network=networks[METRICS_NET],
            api_network=networks[API_NET],
            haproxy_image=images.haproxy,
            node_exporter_image=images.node_exporter,
            cadvisor_image=images.cadvisor,
            housekeeping=settings.monitoring.scrape_interval,
        ),
    )
    docker_api = DockerApi(
        "docker-api", DockerApiArgs(cluster=cluster, network=networks[API_NET], image=images.haproxy)
    )
    databases = {
        influxdb.service_name(database): InfluxDb(
            influxdb.service_name(database),
            InfluxDbArgs(
                cluster=cluster,
                network=network,
                host=host,
                image=images.influxdb,
                database=database,
                retention=settings.monitoring.retention,
                writer_password=writer_password,
                reader_password=reader_password,
                ports=topology.services[influxdb.service_name(database)].ports,
            ),
        )
        for database in DATABASES
    }
    alertmanager = Alertmanager(
        "alertmanager",
        AlertmanagerArgs(
            cluster=cluster,
            network=network,
            host=host,
            image=images.alertmanager,
            config=pulumi.Output.secret(alertmanager_configuration(settings.alerting)),
        ),
    )
    databases_ready = [database.ready for database in databases.values()]
    prometheus = Prometheus(
        "prometheus",
        PrometheusArgs(
            cluster=cluster,
            networks=[networks[name] for name in topology.services["prometheus"].networks],
            host=host,
            image=images.prometheus,
            files=files,
            writer_password=writer_password,
            databases_ready=pulumi.Output.all(*databases_ready),
        ),
    )
    ready: list[pulumi.Output[Any]] = [docker_api.ready, alertmanager.ready, prometheus.ready]
    if "grafana" in topology.services:
        grafana = Grafana(
            "grafana",
            GrafanaArgs(
                cluster=cluster,
                network=network,
                host=host,
                image=images.grafana,
                dashboards=dashboard_files(),
                databases={influxdb.service_name(database): database for database in DATABASES},
                reader_password=reader_password,
                operator_password=secret(settings.operator_password),
            ),
        )
        ready.append(grafana.ready)
    return [*ready, *databases_ready, exporters.ready]
