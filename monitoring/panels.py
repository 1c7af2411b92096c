"""Builders of Grafana panels: lines over time, numbers, tables, states."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring import influxql
from monitoring.metrics import Metric, Unit

PROMETHEUS = models.DataSourceRef(type_val="prometheus", uid="prometheus")

_UNITS: dict[Unit, str] = {
    "percent": "percentunit",
    "bytes": "bytes",
    "bytes per second": "binBps",
    "CPUs": "short",
    "per second": "reqps",
    "seconds": "s",
    "ratio": "short",
}
_ALIASES = {
    ("node",): "$tag_node",
    ("node", "mountpoint"): "$tag_node $tag_mountpoint",
    # A task of a global service has no slot, so nothing follows the dot.
    ("service", "slot", "node"): "$tag_service.$tag_slot on $tag_node",
    ("service",): "$tag_service",
    (): "all",
}
_MAX_GAP = 150_000.0
"""Milliseconds: a line connects points up to this far apart, since scrapes can be a minute apart."""


class Influxql(Builder[Dataquery], Dataquery):
    """An InfluxQL query, since the SDK has no classes for InfluxDB."""

    def __init__(self, text: str, alias: str) -> None:
        self._text = text
        self._alias = alias

    def build(self) -> Dataquery:
        """Return the query itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the query in the form of Grafana's InfluxDB data source."""
        return {
            "refId": "A",
            "query": self._text,
            "rawQuery": True,
            "alias": self._alias,
            "resultFormat": "time_series",
        }


def data_source(database: str) -> models.DataSourceRef:
    """Return the data source of a database."""
    return models.DataSourceRef(type_val="influxdb", uid=f"influxdb-{database}")


def lines(metric: Metric, variables: Sequence[str] = ()) -> timeseries.Panel:
    """Return a panel with a line for each host, task or filesystem."""
    panel = _time_series(metric, influxql.lines(metric, variables), metric.tags)
    return panel.max(1) if metric.unit == "percent" else panel


def sums(metric: Metric, title: str, by: Sequence[str] = (), variables: Sequence[str] = ()) -> timeseries.Panel:
    """Return a panel with stacked areas, one for each value of the tags `by`."""
    panel = _time_series(metric, influxql.sums(metric, by, variables), tuple(by)).title(title)
    return panel.fill_opacity(25).stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))


def counts(
    metric: Metric, title: str, description: str, by: Sequence[str], variables: Sequence[str] = ()
) -> timeseries.Panel:
    """Return a panel with the number of the metric's lines, for each value of the tags `by`."""
    panel = (
        _time_series(metric, influxql.counts(metric, by, variables), tuple(by)).title(title).description(description)
    )
    return panel.unit("short").decimals(0).line_interpolation(common_models.LineInterpolation.STEP_AFTER)


def number(title: str, description: str, expr: str) -> stat.Panel:
    """Return a panel with one PromQL number that should be 0 and is red from 1 on."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
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
    panel = table.Panel().title(title).description(description).datasource(PROMETHEUS).no_value(none)
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


def states(title: str, description: str, expr: str, legend: str) -> statetimeline.Panel:
    """Return a panel with a bar for each series of a PromQL expression: green while it is 1, red while it is 0."""
    mapping = models.ValueMap(
        options={
            "0": models.ValueMappingResult(text="down", color="red", index=0),
            "1": models.ValueMappingResult(text="up", color="green", index=1),
        }
    )
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .with_target(prometheus.Dataquery().expr(expr).range().legend_format(legend).ref_id("A"))
        .mappings([mapping])
        .show_value(common_models.VisibilityMode.NEVER)
        .interval("15s")
        .height(10)
        .span(24)
    )


def _time_series(metric: Metric, text: str, by: tuple[str, ...]) -> timeseries.Panel:
    return (
        timeseries.Panel()
        .title(metric.title)
        .description(metric.description)
        .datasource(data_source(metric.database))
        .with_target(Influxql(text, _ALIASES[by]))
        .interval("15s")  # the default of monitoring.scrape_interval
        .unit(_UNITS[metric.unit])
        .min(0)
        .no_value("no data")
        .span_nulls(_MAX_GAP)
        .show_points(common_models.VisibilityMode.NEVER)
        .fill_opacity(8)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)  # noqa: FBT003 - the SDK's signature
            .display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.RIGHT)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
        .height(9)
        .span(12)
    )


def _thresholds() -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color="green"), models.Threshold(value=1, color="red")]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
