"""What all dashboards share: their settings, their variables, and their form as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from . import influxql, panels
from .metrics import Metric

_TAG = "swarm-transfer"


def page(uid: str, title: str, description: str) -> builders.Dashboard:
    """Return a dashboard without panels."""
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


def variable(tag: str, metric: Metric, variables: Sequence[str] = ()) -> Builder[models.VariableModel]:
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


def as_dict(built: builders.Dashboard) -> dict[str, Any]:
    """Return the dashboard in the form of Grafana's JSON, with its panels numbered."""
    dashboard: dict[str, Any] = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    for number, panel in enumerate(panels_of(dashboard), start=1):
        panel["id"] = number
    return dashboard


def panels_of(parent: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard in Grafana's form, and those in its rows."""
    for panel in parent.get("panels", []):
        yield panel
        yield from panels_of(panel)
