"""Grafana: the dashboards, with data from both InfluxDBs and from Prometheus."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from . import influxdb, users
from .endpoint import Endpoint
from .host import Host
from .mounts import SECRETS
from .overlay import OverlayNetwork
from .swarm import SwarmCluster
from .swarm_file import SwarmFile, SwarmFileArgs, SwarmSecret, SwarmSecretArgs
from .swarm_service import Healthcheck, Resources, SwarmService, SwarmServiceArgs

PORT = 3000

_PROVISIONING = "/etc/grafana/provisioning"
_DASHBOARDS = "/etc/grafana/dashboards"
_DATA = "/var/lib/grafana"


@dataclass(frozen=True, kw_only=True)
class GrafanaArgs:
    """`dashboards` maps a file's name to its JSON, and `databases` a database to its InfluxDB.

    `operator_password` is for `operator`, the only user of Grafana.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    host: Host
    image: str
    dashboards: Mapping[str, str]
    databases: Mapping[str, Endpoint]
    prometheus: Endpoint
    reader_password: pulumi.Output[str]
    operator_password: pulumi.Output[str]


class Grafana(pulumi.ComponentResource):
    """Runs one Grafana with provisioned data sources and dashboards; changes made in its pages are lost at a restart.

    Its own database is created at every start, because an old one would keep the operator's old password.
    """

    ready: pulumi.Output[str]
    endpoint: Endpoint

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:grafana:Grafana", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        files = {
            "sources": (f"{_PROVISIONING}/datasources/cluster.yaml", data_sources(args.databases, args.prometheus)),
            "provider": (f"{_PROVISIONING}/dashboards/cluster.yaml", dashboard_provider()),
            **{
                dashboard.removesuffix(".json"): (f"{_DASHBOARDS}/{dashboard}", text)
                for dashboard, text in args.dashboards.items()
            },
        }
        mounted = [
            SwarmFile(f"{name}-{file}", SwarmFileArgs(cluster=args.cluster, content=text, path=path), opts=child)
            for file, (path, text) in files.items()
        ]
        secrets = [
            SwarmSecret(
                f"{name}-{secret}",
                SwarmSecretArgs(cluster=args.cluster, content=password, file_name=secret, uid=users.GRAFANA),
                opts=child,
            )
            for secret, password in (("reader", args.reader_password), ("operator", args.operator_password))
        ]
        service = SwarmService(
            name,
            SwarmServiceArgs(
                cluster=args.cluster,
                networks=[args.network],
                image=args.image,
                user=users.alone(users.GRAFANA),
                replicas=1,
                command=["/run.sh"],  # the image's own start script
                environment={
                    "GF_SECURITY_ADMIN_USER": "operator",
                    "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS}/operator",
                    "GF_ANALYTICS_REPORTING_ENABLED": "false",
                    "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
                    "GF_PLUGINS_PREINSTALL_DISABLED": "true",
                    "GF_LOG_LEVEL": "warn",
                },
                files=mounted,
                secrets=secrets,
                tmpfs={_DATA: 128, "/tmp": 16},  # noqa: S108 - a path in the container
                constraints=[args.host.constraint],
                healthcheck=Healthcheck.by_wget(PORT, "/api/health", start_period=60),
                resources=Resources(cpus=0.5, memory=384, reserved_cpus=0.05, reserved_memory=128),
            ),
            opts=child,
        )
        self.ready = service.ready
        self.endpoint = Endpoint(service=name, port=PORT, ready=service.ready)
        self.register_outputs({"ready": self.ready})


def data_sources(databases: Mapping[str, Endpoint], prometheus: Endpoint) -> str:
    """Return Grafana's provisioning file for data sources. Grafana reads the passwords from its container's files."""
    sources: list[dict[str, Any]] = [
        {
            "name": influx.service,
            "uid": influx.service,
            "type": "influxdb",
            "access": "proxy",
            "url": influx.url,
            "user": influxdb.READER,
            "jsonData": {"dbName": database, "httpMode": "GET"},
            "secureJsonData": {"password": f"$__file{{{SECRETS}/reader}}"},
        }
        for database, influx in databases.items()
    ]
    sources.append(
        {
            "name": "prometheus",
            "uid": "prometheus",
            "type": "prometheus",
            "access": "proxy",
            "url": prometheus.url,
            "isDefault": True,
        }
    )
    return yaml.safe_dump({"apiVersion": 1, "datasources": sources}, sort_keys=False)


def dashboard_provider() -> str:
    """Return Grafana's provisioning file for dashboards: it loads all files of one folder."""
    provider = {"name": "cluster", "type": "file", "allowUiUpdates": False, "options": {"path": _DASHBOARDS}}
    return json.dumps({"apiVersion": 1, "providers": [provider]}, indent=2)
