"""The four dashboards, generated from the table of metrics: containers, VMs, file service, Swarm overview.

Their uids are fixed, so links to them last. Nothing here is read from a running system.
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
# Services without any task are there, too, with 0.
_RUNNING = f"count by (service) ({CONTAINER_METRICS[1].measurement}) or {_EXPECTED} * 0"
_REQUESTS, _ERRORS, _RECEIVED, _SENT, _SECONDS = FILE_METRICS


def vms() -> dict[str, Any]:
    """CPU, memory, network in and out of each host, then its filesystems and load."""
    page = _page("vms", "VMs", "What each host does.").with_variable(_variable("node", VM_METRICS[0]))
    for metric in (*VM_METRICS, *FURTHER_VM_METRICS):
        page.with_panel(panels.lines(metric, ["node"]))
    return _as_dict(page)


def containers() -> dict[str, Any]:
    """CPU, memory, network in and out of each task; then the same summed up for each service."""
    narrowed = ["service", "node"]
    page = (
        _page("containers", "Containers", "What each task of each service does.")
        .with_variable(_variable("service", CONTAINER_METRICS[0]))
        .with_variable(_variable("node", CONTAINER_METRICS[0], ["service"]))
    )
    for metric in CONTAINER_METRICS:
        page.with_panel(panels.lines(metric, narrowed))
    page.with_row(builders.Row("All tasks of a service together"))
    for metric in CONTAINER_METRICS:
        page.with_panel(panels.sums(metric, f"{metric.title} of a service", ["service"], narrowed))
    return _as_dict(page)


def file_service() -> dict[str, Any]:
    """What the file service's replicas answer, how fast, and what they need for it."""
    page = _page("file-service", "File service", "Uploads and downloads.").with_variable(_variable("node", _REQUESTS))
    for metric in (_REQUESTS, _ERRORS, _RECEIVED, _SENT, _SECONDS):
        page.with_panel(panels.lines(metric, ["node"]))
    page.with_panel(panels.counts(_REQUESTS, "Replicas", "Those that are measured, on each host.", ["node"], ["node"]))
    page.with_row(builders.Row("All replicas together"))
    for metric in (_REQUESTS, _ERRORS, _RECEIVED, _SENT):
        page.with_panel(panels.sums(metric, f"{metric.title}, all replicas", [], ["node"]))
    return _as_dict(page)


def swarm_overview() -> dict[str, Any]:
    """What should be there and is not, which alerts fire, and how busy the hosts are."""
    page = (
        _page("swarm-overview", "Swarm overview", "Is everything there that should be?")
        .with_panel(
            panels.number(
                "Nodes missing",
                "Hosts of the configuration whose node-exporter does not answer.",
                'count(swarm:node_expected unless on (node) up{job="node-exporter"} == 1) or vector(0)',
            )
        )
        .with_panel(
            panels.number(
                "Tasks missing",
                "Tasks that the services should have and have not.",
                f"sum(clamp_min({_EXPECTED} - on (service) ({_RUNNING}), 0)) or vector(0)",
            )
        )
        .with_panel(panels.number("Targets down", "Those that Prometheus cannot read.", "count(up == 0) or vector(0)"))
        .with_panel(
            panels.number("Alerts", "Those that fire, without the heartbeat.", f"count({_FIRING}) or vector(0)")
        )
        .with_panel(
            panels.listing(
                "Services",
                "Tasks that each should have, and those that are measured.",
                [_EXPECTED, _RUNNING],
                {"service": "service", "Value #A": "expected", "Value #B": "running"},
                none="no services",
            )
        )
        .with_panel(
            panels.listing(
                "Alerts that fire",
                "The heartbeat is left out: it always does.",
                [_FIRING],
                {"alertname": "alert", "severity": "severity", "node": "node", "service": "service"},
                none="none",
            )
        )
        .with_panel(panels.states("Targets", "What Prometheus reads.", "up", "{{job}} {{instance}}"))
        .with_panel(panels.lines(VM_METRICS[0]).title("CPU of hosts"))
        .with_panel(panels.lines(VM_METRICS[1]).title("Memory of hosts"))
        .with_panel(panels.sums(CONTAINER_METRICS[1], "Memory of services", ["service"]))
        .with_panel(panels.counts(CONTAINER_METRICS[1], "Tasks of services", "Those that are measured.", ["service"]))
    )
    return _as_dict(page)


def dashboards() -> dict[str, dict[str, Any]]:
    """All four, by uid."""
    return {made["uid"]: made for made in (swarm_overview(), vms(), containers(), file_service())}


def dashboard_files() -> dict[str, str]:
    """All four as JSON, by file name."""
    return {f"{uid}.json": json.dumps(made, indent=1) for uid, made in dashboards().items()}


def queries(dashboard: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a dashboard asks: (uid of the data source, InfluxQL or PromQL) of its variables and panels.

    `influxql.filled` puts values in the place of Grafana's variables.
    """
    asked = [(made["datasource"]["uid"], made["query"]["query"]) for made in dashboard["templating"].get("list", [])]
    for panel in _panels(dashboard):
        uid = panel.get("datasource", {}).get("uid", "")
        asked += [(uid, target.get("query") or target["expr"]) for target in panel.get("targets", [])]
    return asked


def _panels(of: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in of.get("panels", []):
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
    """A choice of any number of a tag's values, all of them at first."""
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
    made: dict[str, Any] = json.loads(json.dumps(page.build(), cls=JSONEncoder))
    for number, panel in enumerate(_panels(made), start=1):
        panel["id"] = number
    return made
