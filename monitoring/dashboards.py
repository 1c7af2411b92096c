"""The four Grafana dashboards, generated from the metrics: containers, VMs, file service, Swarm overview.

Their uids are fixed, so that links to them keep working. Nothing is read from a running system.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from monitoring import influxql, panels
from monitoring.alertmanager import HEARTBEAT_ALERT
from monitoring.metrics import CONTAINER_METRICS, FILE_METRICS, FURTHER_VM_METRICS, VM_METRICS, Metric

_TAG = "swarm-transfer"
_FIRING = f'ALERTS{{alertstate="firing", alertname!="{HEARTBEAT_ALERT}"}}'
_EXPECTED = "sum by (service) (swarm:service_tasks_expected)"
# A service without any task counts as 0.
_RUNNING = f"count by (service) ({CONTAINER_METRICS[1].measurement}) or {_EXPECTED} * 0"
_REQUESTS, _ERRORS, _RECEIVED, _SENT, _SECONDS = FILE_METRICS


def vms() -> dict[str, Any]:
    """Return the dashboard of hosts: CPU, memory, network in and out, then filesystems and load."""
    page = _page("vms", "VMs", "Resource usage of each host.").with_variable(_variable("node", VM_METRICS[0]))
    for metric in (*VM_METRICS, *FURTHER_VM_METRICS):
        page.with_panel(panels.lines(metric, ["node"]))
    return _as_dict(page)


def containers() -> dict[str, Any]:
    """Return the dashboard of containers: CPU, memory, network in and out of each task, then of each service."""
    variables = ["service", "node"]
    page = (
        _page("containers", "Containers", "Resource usage of each task of each service.")
        .with_variable(_variable("service", CONTAINER_METRICS[0]))
        .with_variable(_variable("node", CONTAINER_METRICS[0], ["service"]))
    )
    for metric in CONTAINER_METRICS:
        page.with_panel(panels.lines(metric, variables))
    page.with_row(builders.Row("Totals of each service"))
    for metric in CONTAINER_METRICS:
        page.with_panel(panels.sums(metric, f"{metric.title} by service", ["service"], variables))
    return _as_dict(page)


def file_service() -> dict[str, Any]:
    """Return the dashboard of the file service: requests, errors, bytes, durations and replicas."""
    page = _page("file-service", "File service", "Uploads and downloads.").with_variable(_variable("node", _REQUESTS))
    for metric in (_REQUESTS, _ERRORS, _RECEIVED, _SENT, _SECONDS):
        page.with_panel(panels.lines(metric, ["node"]))
    page.with_panel(panels.counts(_REQUESTS, "Replicas", "Replicas with metrics, on each host.", ["node"], ["node"]))
    page.with_row(builders.Row("Totals of all replicas"))
    for metric in (_REQUESTS, _ERRORS, _RECEIVED, _SENT):
        page.with_panel(panels.sums(metric, f"{metric.title}, all replicas", [], ["node"]))
    return _as_dict(page)


def swarm_overview() -> dict[str, Any]:
    """Return the overview: what is missing, which alerts fire, and how busy the hosts are."""
    page = (
        _page("swarm-overview", "Swarm overview", "Missing nodes and tasks, firing alerts, and load.")
        .with_panel(
            panels.number(
                "Nodes missing",
                "Configured hosts whose node-exporter does not respond.",
                'count(swarm:node_expected unless on (node) up{job="node-exporter"} == 1) or vector(0)',
            )
        )
        .with_panel(
            panels.number(
                "Tasks missing",
                "Expected tasks that do not run.",
                f"sum(clamp_min({_EXPECTED} - on (service) ({_RUNNING}), 0)) or vector(0)",
            )
        )
        .with_panel(
            panels.number("Targets down", "Targets that Prometheus cannot scrape.", "count(up == 0) or vector(0)")
        )
        .with_panel(panels.number("Alerts", "Firing alerts, without the heartbeat.", f"count({_FIRING}) or vector(0)"))
        .with_panel(
            panels.listing(
                "Services",
                "Expected and running tasks of each service.",
                [_EXPECTED, _RUNNING],
                {"service": "service", "Value #A": "expected", "Value #B": "running"},
                none="no services",
            )
        )
        .with_panel(
            panels.listing(
                "Firing alerts",
                "The heartbeat always fires and is left out.",
                [_FIRING],
                {"alertname": "alert", "severity": "severity", "node": "node", "service": "service"},
                none="none",
            )
        )
        .with_panel(panels.states("Targets", "The targets that Prometheus scrapes.", "up", "{{job}} {{instance}}"))
        .with_panel(panels.lines(VM_METRICS[0]).title("CPU of hosts"))
        .with_panel(panels.lines(VM_METRICS[1]).title("Memory of hosts"))
        .with_panel(panels.sums(CONTAINER_METRICS[1], "Memory of services", ["service"]))
        .with_panel(panels.counts(CONTAINER_METRICS[1], "Tasks of services", "Tasks with metrics.", ["service"]))
    )
    return _as_dict(page)


def dashboards() -> dict[str, dict[str, Any]]:
    """Return all four dashboards, by uid."""
    return {dashboard["uid"]: dashboard for dashboard in (swarm_overview(), vms(), containers(), file_service())}


def dashboard_files() -> dict[str, str]:
    """Return all four dashboards as JSON, by file name."""
    return {f"{uid}.json": json.dumps(dashboard, indent=1) for uid, dashboard in dashboards().items()}


def queries(dashboard: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the queries of a dashboard's variables and panels: (uid of the data source, InfluxQL or PromQL).

    `influxql.filled` replaces Grafana's variables in them by values.
    """
    variables = dashboard["templating"].get("list", [])
    found = [(variable["datasource"]["uid"], variable["query"]["query"]) for variable in variables]
    for panel in _panels(dashboard):
        uid = panel.get("datasource", {}).get("uid", "")
        found += [(uid, target.get("query") or target["expr"]) for target in panel.get("targets", [])]
    return found


def _panels(parent: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in parent.get("panels", []):
        yield panel
        yield from _panels(panel)


def _page(uid: str, title: str, description: str) -> builders.Dashboard:
    others = (
        builders.DashboardLink("Dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([_TAG])
        .as_dropdown(True)  # noqa: FBT003 - the SDK's signature
        .keep_time(True)  # noqa: FBT003
    )
    return (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([_TAG])
        .link(others)
        .time("now-30m", "now")
        .refresh("15s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .readonly()
    )


def _variable(tag: str, metric: Metric, variables: Sequence[str] = ()) -> Builder[models.VariableModel]:
    """Return a variable for selecting any of a tag's values, with all of them selected at first."""
    text = influxql.tag_values(metric, tag, variables)
    return (
        builders.QueryVariable(tag)
        .label(tag.capitalize())
        .datasource(panels.data_source(metric.database))
        .query({"query": text, "refId": tag})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
        .multi(True)  # noqa: FBT003 - the SDK's signature
        .include_all(True)  # noqa: FBT003
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _as_dict(page: builders.Dashboard) -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads(json.dumps(page.build(), cls=JSONEncoder))
    for number, panel in enumerate(_panels(dashboard), start=1):
        panel["id"] = number
    return dashboard
