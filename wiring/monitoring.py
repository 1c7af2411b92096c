"""The monitoring: what reads metrics, where they are kept, and who is told of problems."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components import backup, certificate
from components.monitoring import (
    GrafanaSettings,
    Monitoring,
    MonitoringArgs,
    MonitoringImages,
    create_monitoring,
)
from components.overlay import OverlayNetwork
from components.swarm import SwarmCluster
from monitoring import alertmanager, promtool
from monitoring.configuration import PrometheusFilesArgs, prometheus_files
from monitoring.dashboards import dashboard_files
from settings import Settings, secret
from settings.models import Alerting
from settings.topology import API_NET, CLUSTER_NET, METRICS_NET, Topology


def checked_prometheus_files(settings: Settings, topology: Topology) -> dict[str, str]:
    """Return Prometheus's files, with the nodes and tasks that are expected. promtool checks them if it is installed.

    Raises:
        RejectedFilesError: promtool has found an error.
    """
    pem = settings.edge_certificate
    files = prometheus_files(
        PrometheusFilesArgs(
            cluster=pulumi.get_stack(),
            scrape_interval=f"{settings.monitoring.scrape_interval}s",
            nodes=[host.name for host in settings.present_hosts],
            tasks={name: service.tasks for name, service in topology.services.items()},
            alert_for=settings.alerting.for_,
            scraped={backup.SERVICE: backup.PORT} if settings.backup else {},
            certificates={"edge": certificate.not_after(pem.get_secret_value())} if pem else {},
        )
    )
    promtool.check(files)
    return files


def monitoring_of(
    settings: Settings,
    topology: Topology,
    cluster: SwarmCluster,
    networks: Mapping[str, OverlayNetwork],
    files: Mapping[str, str],
) -> Monitoring:
    """Create all monitoring services, Prometheus with these files."""
    prometheus = topology.services["prometheus"]
    return create_monitoring(
        MonitoringArgs(
            cluster=cluster,
            network=networks[CLUSTER_NET],
            metrics_network=networks[METRICS_NET],
            api_network=networks[API_NET],
            scraped_networks=[
                networks[name] for name in prometheus.networks if name not in (CLUSTER_NET, METRICS_NET, API_NET)
            ],
            host=cluster.host(prometheus.hosts[0]),
            prometheus_files=files,
            alertmanager_config=pulumi.Output.secret(_alertmanager_config(settings.alerting)),
            writer_password=secret(settings.influxdb_writer_password),
            reader_password=secret(settings.influxdb_reader_password),
            scrape_interval=settings.monitoring.scrape_interval,
            retention=settings.monitoring.retention,
            grafana=GrafanaSettings(dashboards=dashboard_files(), operator_password=secret(settings.operator_password))
            if "grafana" in topology.services
            else None,
            images=MonitoringImages(**settings.images.model_dump(exclude={"debian", "python", "seaweedfs"})),
        )
    )


def _alertmanager_config(alerting: Alerting) -> str:
    return alertmanager.configuration(
        receiver=_receiver(alerting), heartbeat_url=alerting.heartbeat_url.get_secret_value()
    )


def _receiver(alerting: Alerting) -> dict[str, Any]:
    """Return the receiver of all alerts in Alertmanager's own words, without its name."""
    match alerting.receiver:
        case "webhook":
            return {"webhook_configs": [{"url": alerting.webhook_url.get_secret_value()}]}
        case "email":
            login = (
                {"auth_username": alerting.smtp_user, "auth_password": alerting.smtp_password.get_secret_value()}
                if alerting.smtp_user
                else {}
            )
            return {
                "email_configs": [
                    {"to": alerting.email_to, "from": alerting.email_from, "smarthost": alerting.smtp_host, **login}
                ]
            }
        case "none":
            return {}
