"""InfluxQL queries for metrics: for Grafana with its variables, and with values in place of the variables."""

from collections.abc import Sequence

from .metrics import Metric

_ALL = ".*"
"""What Grafana substitutes for a variable when "All" is selected."""


def lines(metric: Metric, variables: Sequence[str] = ()) -> str:
    """Return a query for one line for each host, task or filesystem.

    `variables` are the tags that variables of the dashboard filter.
    """
    return (
        f'SELECT mean("value") FROM "{metric.measurement}" WHERE {_where(variables)} '
        f"GROUP BY time($__interval), {_quoted(metric.tags)} fill(null)"
    )


def sums(metric: Metric, by: Sequence[str] = (), variables: Sequence[str] = ()) -> str:
    """Return a query for the sum of the metric's lines, for each value of the tags `by`."""
    return _of_lines("sum", metric, by, variables)


def counts(metric: Metric, by: Sequence[str] = (), variables: Sequence[str] = ()) -> str:
    """Return a query for the number of the metric's lines, for each value of the tags `by`."""
    return _of_lines("count", metric, by, variables)


def tag_values(metric: Metric, tag: str, variables: Sequence[str] = ()) -> str:
    """Return a query for the values that a variable of a dashboard can take."""
    where = f" WHERE {_filters(variables)}" if variables else ""
    return f'SHOW TAG VALUES FROM "{metric.measurement}" WITH KEY = "{tag}"{where}'


def latest(metric: Metric, minutes: int) -> str:
    """Return a query for the latest value of each line and its time, if it is not older than `minutes`."""
    return (
        f'SELECT last("value") FROM "{metric.measurement}" WHERE time >= now() - {minutes}m '
        f"GROUP BY {_quoted(metric.tags)}"
    )


def history(metric: Metric, minutes: int, step: int) -> str:
    """Return a query for each line over the last `minutes`: a mean for every `step` seconds that have a value."""
    return (
        f'SELECT mean("value") FROM "{metric.measurement}" WHERE time >= now() - {minutes}m AND time <= now() '
        f"GROUP BY time({step}s), {_quoted(metric.tags)} fill(none)"
    )


def filled(text: str, *, minutes: int = 30, interval: str = "15s", value: str = _ALL) -> str:
    """Return a panel's query as Grafana sends it, for the last `minutes`, with every variable set to `value`.

    It replaces only `$timeFilter`, `$__interval`, `$node` and `$service`; `value` is an InfluxQL regex. PromQL has
    none of these variables and stays unchanged.
    """
    values = {
        "$timeFilter": f"time >= now() - {minutes}m AND time <= now()",
        "$__interval": interval,
        "$node": value,
        "$service": value,
    }
    for variable, content in values.items():
        text = text.replace(variable, content)
    return text


def _of_lines(function: str, metric: Metric, by: Sequence[str], variables: Sequence[str]) -> str:
    groups = ", ".join(["time($__interval)", *([_quoted(by)] if by else [])])
    return (
        f'SELECT {function}("line") FROM ('
        f'SELECT mean("value") AS "line" FROM "{metric.measurement}" WHERE {_where(variables)} '
        f"GROUP BY time($__interval), {_quoted(metric.tags)} fill(none)"
        f") WHERE $timeFilter GROUP BY {groups} fill(null)"
    )


def _where(variables: Sequence[str]) -> str:
    return " AND ".join(["$timeFilter", *([_filters(variables)] if variables else [])])


def _filters(variables: Sequence[str]) -> str:
    # For several values Grafana substitutes (a|b), with special characters escaped.
    return " AND ".join(f'"{tag}" =~ /^${tag}$/' for tag in variables)


def _quoted(tags: Sequence[str]) -> str:
    return ", ".join(f'"{tag}"' for tag in tags)
