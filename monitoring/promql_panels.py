"""Builders of Grafana panels for PromQL: numbers, tables, states, and lines of what is in no InfluxDB."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from . import panels
from .metrics import Unit

_PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="prometheus")


def number(title: str, description: str, expr: str) -> stat.Panel:
    """Return a panel with one PromQL number that should be 0 and is red from 1 on."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(_PROMETHEUS)
        .with_target(prometheus.Dataquery().expr(expr).instant().ref_id("A"))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(common_models.BigValueColorMode.BACKGROUND)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .thresholds(_thresholds())
        .height(4)
        .span(6)
    )


def listing(title: str, description: str, exprs: Sequence[str], columns: dict[str, str], *, none: str) -> table.Panel:
    """Return a table of the series of one or more PromQL expressions.

    Args:
        title: the panel's title.
        description: the panel's description.
        exprs: the expressions. Series with the same labels share a row. The value of the n-th expression is in the
            column `Value #A`, `Value #B`, …, or in `Value` if there is only one expression.
        columns: the columns shown, from left to right: name in the result -> heading.
        none: the text shown if there are no rows.
    """
    panel = table.Panel().title(title).description(description).datasource(_PROMETHEUS).no_value(none)
    for ref, expr in zip("ABC", exprs, strict=False):
        target = prometheus.Dataquery().expr(expr).instant().format(PromQueryFormat.TABLE).ref_id(ref)
        panel = panel.with_target(target)
    order = {name: position for position, name in enumerate(columns)}
    return (
        panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={"indexByName": order, "renameByName": columns, "includeByName": dict.fromkeys(columns, True)},
            )
        )
        .height(9)
        .span(12)
    )


def states(
    title: str, description: str, expr: str, legend: str, *, names: tuple[str, str] = ("down", "up")
) -> statetimeline.Panel:
    """Return a panel with a bar for each series of a PromQL expression: green while it is 1, red while it is 0.

    `names` are the states' names, first that of 0.
    """
    mapping = models.ValueMap(
        options={
            str(value): models.ValueMappingResult(text=name, color=color, index=value)
            for value, (name, color) in enumerate(zip(names, ("red", "green"), strict=True))
        }
    )
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(_PROMETHEUS)
        .with_target(prometheus.Dataquery().expr(expr).range().legend_format(legend).ref_id("A"))
        .mappings([mapping])
        .show_value(common_models.VisibilityMode.NEVER)
        .interval("15s")
        .height(10)
        .span(24)
    )


def lines(title: str, description: str, expr: str, legend: str, unit: Unit) -> timeseries.Panel:
    """Return a panel with a line for each series of a PromQL expression."""
    return (
        panels.chart(title, description, unit)
        .datasource(_PROMETHEUS)
        .with_target(prometheus.Dataquery().expr(expr).range().legend_format(legend).ref_id("A"))
    )


def _thresholds() -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color="green"), models.Threshold(value=1, color="red")]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
