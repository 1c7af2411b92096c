"""The five Grafana dashboards, generated from the metrics: overview, VMs, containers, file service, index and store.

Their uids are fixed, so that links to them keep working. Nothing is read from a running system.
"""

import json
from collections.abc import Mapping
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders

from . import index_dashboard, pages, panels, promql_panels
from .alertmanager import HEARTBEAT_ALERT
from .metrics import CONTAINER_METRICS, FILE_METRICS, FURTHER_VM_METRICS, VM_METRICS

_FIRING = f'ALERTS{{alertstate="firing", alertname!="{HEARTBEAT_ALERT}"}}'
_EXPECTED = "sum by (service) (swarm:service_tasks_expected)"
# A service without any task counts as 0.
_RUNNING = f"count by (service) ({CONTAINER_METRICS[1].measurement}) or {_EXPECTED} * 0"
_REQUESTS, _ERRORS, _RECEIVED, _SENT, _SECONDS = FILE_METRICS


def vms() -> dict[str, Any]:
    """Return the dashboard of hosts: CPU, memory, network in and out, then filesystems and load."""
    page = pages.page("vms", "VMs", "Resource usage of each host.").with_variable(pages.variable("node", VM_METRICS[0]))
    for metric in (*VM_METRICS, *FURTHER_VM_METRICS):
        page.with_panel(panels.lines(metric, ["node"]))
    return pages.as_dict(page)


def containers() -> dict[str, Any]:
    """Return the dashboard of containers: CPU, memory, network in and out of each task, then of each service."""
    variables = ["service", "node"]
    page = (
        pages.page("containers", "Containers", "Resource usage of each task of each service.")
        .with_variable(pages.variable("service", CONTAINER_METRICS[0]))
        .with_variable(pages.variable("node", CONTAINER_METRICS[0], ["service"]))
    )
    for metric in CONTAINER_METRICS:
        page.with_panel(panels.lines(metric, variables))
    page.with_row(builders.Row("Totals of each service"))
    for metric in CONTAINER_METRICS:
        page.with_panel(panels.sums(metric, f"{metric.title} by service", ["service"], variables))
    return pages.as_dict(page)


def file_service() -> dict[str, Any]:
    """Return the dashboard of the file service: requests, errors, bytes, durations and replicas."""
    page = pages.page("file-service", "File service", "Uploads and downloads.").with_variable(
        pages.variable("node", _REQUESTS)
    )
    for metric in (_REQUESTS, _ERRORS, _RECEIVED, _SENT, _SECONDS):
        page.with_panel(panels.lines(metric, ["node"]))
    page.with_panel(panels.counts(_REQUESTS, "Replicas", "Replicas with metrics, on each host.", ["node"], ["node"]))
    page.with_row(builders.Row("Totals of all replicas"))
    for metric in (_REQUESTS, _ERRORS, _RECEIVED, _SENT):
        page.with_panel(panels.sums(metric, f"{metric.title}, all replicas", [], ["node"]))
    return pages.as_dict(page)


def swarm_overview() -> dict[str, Any]:
    """Return the overview: what is missing, which alerts fire, and how busy the hosts are."""
    page = (
        pages.page("swarm-overview", "Swarm overview", "Missing nodes and tasks, firing alerts, and load.")
        .with_panel(
            promql_panels.number(
                "Nodes missing",
                "Configured hosts whose node-exporter does not respond.",
                'count(swarm:node_expected unless on (node) up{job="node-exporter"} == 1) or vector(0)',
            )
        )
        .with_panel(
            promql_panels.number(
                "Tasks missing",
                "Expected tasks that do not run.",
                f"sum(clamp_min({_EXPECTED} - on (service) ({_RUNNING}), 0)) or vector(0)",
            )
        )
        .with_panel(
            promql_panels.number(
                "Targets down", "Targets that Prometheus cannot scrape.", "count(up == 0) or vector(0)"
            )
        )
        .with_panel(
            promql_panels.number("Alerts", "Firing alerts, without the heartbeat.", f"count({_FIRING}) or vector(0)")
        )
        .with_panel(
            promql_panels.listing(
                "Services",
                "Expected and running tasks of each service.",
                [_EXPECTED, _RUNNING],
                {"service": "service", "Value #A": "expected", "Value #B": "running"},
                none="no services",
            )
        )
        .with_panel(
            promql_panels.listing(
                "Firing alerts",
                "The heartbeat always fires and is left out.",
                [_FIRING],
                {"alertname": "alert", "severity": "severity", "node": "node", "service": "service"},
                none="none",
            )
        )
        .with_panel(
            promql_panels.states("Targets", "The targets that Prometheus scrapes.", "up", "{{job}} {{instance}}")
        )
        .with_panel(panels.lines(VM_METRICS[0]).title("CPU of hosts"))
        .with_panel(panels.lines(VM_METRICS[1]).title("Memory of hosts"))
        .with_panel(panels.sums(CONTAINER_METRICS[1], "Memory of services", ["service"]))
        .with_panel(panels.counts(CONTAINER_METRICS[1], "Tasks of services", "Tasks with metrics.", ["service"]))
    )
    return pages.as_dict(page)


def dashboards() -> dict[str, dict[str, Any]]:
    """Return all dashboards, by uid."""
    built = (swarm_overview(), vms(), containers(), file_service(), index_dashboard.index_and_store())
    return {dashboard["uid"]: dashboard for dashboard in built}


def dashboard_files() -> dict[str, str]:
    """Return all dashboards as JSON, by file name."""
    return {f"{uid}.json": json.dumps(dashboard, indent=1) for uid, dashboard in dashboards().items()}


def queries(dashboard: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the queries of a dashboard's variables and panels: (uid of the data source, InfluxQL or PromQL).

    `influxql.filled` replaces Grafana's variables in them by values.
    """
    variables = dashboard["templating"].get("list", [])
    found = [(variable["datasource"]["uid"], variable["query"]["query"]) for variable in variables]
    for panel in pages.panels_of(dashboard):
        uid = panel.get("datasource", {}).get("uid", "")
        found += [(uid, target.get("query") or target["expr"]) for target in panel.get("targets", [])]
    return found
