"""InfluxQL texts for a metric of the table: for Grafana, with its variables in them, and with values in their place."""

from collections.abc import Sequence

from monitoring.metrics import Metric

_ALL = ".*"
"""What Grafana puts in a variable's place when «All» is chosen."""


def lines(metric: Metric, variables: Sequence[str] = ()) -> str:
    """One line for each host, task or filesystem; `variables` are tags that the page's own variables narrow."""
    return (
        f'SELECT mean("value") FROM "{metric.measurement}" WHERE {_where(variables)} '
        f"GROUP BY time($__interval), {_quoted(metric.tags)} fill(null)"
    )


def sums(metric: Metric, by: Sequence[str] = (), variables: Sequence[str] = ()) -> str:
    """One line for each value of the tags `by`, all of the metric's lines in it added up."""
    return _of_lines("sum", metric, by, variables)


def counts(metric: Metric, by: Sequence[str] = (), variables: Sequence[str] = ()) -> str:
    """How many of the metric's lines there are for each value of the tags `by`."""
    return _of_lines("count", metric, by, variables)


def tag_values(metric: Metric, tag: str, variables: Sequence[str] = ()) -> str:
    """The values that a page's variable can take."""
    narrowed = f" WHERE {_narrowed(variables)}" if variables else ""
    return f'SHOW TAG VALUES FROM "{metric.measurement}" WITH KEY = "{tag}"{narrowed}'


def latest(metric: Metric, minutes: int) -> str:
    """The newest value of each line and its time, none older than `minutes`."""
    return (
        f'SELECT last("value") FROM "{metric.measurement}" WHERE time >= now() - {minutes}m '
        f"GROUP BY {_quoted(metric.tags)}"
    )


def history(metric: Metric, minutes: int, step: int) -> str:
    """Each line over the last `minutes`, a mean for every `step` seconds; where nothing is, there is no row."""
    return (
        f'SELECT mean("value") FROM "{metric.measurement}" WHERE time >= now() - {minutes}m AND time <= now() '
        f"GROUP BY time({step}s), {_quoted(metric.tags)} fill(none)"
    )


def filled(text: str, *, minutes: int = 30, interval: str = "15s", value: str = _ALL) -> str:
    """A panel's query as Grafana sends it: over the last `minutes`, every variable at `value` (an InfluxQL regex).

    It puts something in the place of `$timeFilter`, `$__interval`, `$node` and `$service`, and nothing else.
    PromQL has none of these and stays as it is.
    """
    places = {
        "$timeFilter": f"time >= now() - {minutes}m AND time <= now()",
        "$__interval": interval,
        "$node": value,
        "$service": value,
    }
    for name, content in places.items():
        text = text.replace(name, content)
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
    return " AND ".join(["$timeFilter", *([_narrowed(variables)] if variables else [])])


def _narrowed(variables: Sequence[str]) -> str:
    # Grafana writes (a|b) for several values, each with its special characters escaped.
    return " AND ".join(f'"{tag}" =~ /^${tag}$/' for tag in variables)


def _quoted(tags: Sequence[str]) -> str:
    return ", ".join(f'"{tag}"' for tag in tags)
