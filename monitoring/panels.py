"""Builders of Grafana panels that show the recorded metrics in the InfluxDBs as lines over time."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

from . import influxql
from .metrics import Metric, Unit

_UNITS: dict[Unit, str] = {
    "percent": "percentunit",
    "bytes": "bytes",
    "bytes per second": "binBps",
    "CPUs": "short",
    "per second": "reqps",
    "seconds": "s",
    "ratio": "short",
    "count": "short",
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


def chart(title: str, description: str, unit: Unit) -> timeseries.Panel:
    """Return a panel of lines without a query, with the look that all of these panels share."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .interval("15s")  # the default of monitoring.scrape_interval
        .unit(_UNITS[unit])
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


def _time_series(metric: Metric, text: str, by: tuple[str, ...]) -> timeseries.Panel:
    return (
        chart(metric.title, metric.description, metric.unit)
        .datasource(data_source(metric.database))
        .with_target(Influxql(text, _ALIASES[by]))
    )
