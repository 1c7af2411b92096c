"""A text table of the eight metrics of every host and task: the latest value of each, and its age."""

import time
from collections.abc import Iterable, Mapping, Sequence

from . import influxql
from .influxdb_client import Read
from .metrics import CONTAINER_METRICS, VM_METRICS, Metric, line_name
from .units import human

MISSING = "missing"
"""The text of a cell without a value."""

_MINUTES = 10
"""Values older than this count as missing."""


def table(read: Read, hosts: Iterable[str] = (), now: float | None = None) -> str:
    """Return two tables, one of hosts and one of tasks, whose cells have the form `VALUE (AGE s)`.

    Each of `hosts` has a row, even if it has no metrics.

    Raises:
        InfluxdbError: a database cannot be read.
    """
    end = time.time() if now is None else now
    expected: dict[str, dict[str, str]] = {host: {} for host in hosts}
    vms = expected | _cells(read, VM_METRICS, end)
    tasks = _cells(read, CONTAINER_METRICS, end)
    return f"{_aligned('Host', VM_METRICS, vms)}\n{_aligned('Task', CONTAINER_METRICS, tasks)}"


def _cells(read: Read, metrics: Sequence[Metric], now: float) -> dict[str, dict[str, str]]:
    """Return the text of each cell, by the name of the line and the measurement."""
    cells: dict[str, dict[str, str]] = {}
    for metric in metrics:
        for series in read(metric.database, influxql.latest(metric, _MINUTES)):
            time_of_value, value = series.rows[0]
            cell = f"{human(value, metric.unit)} ({max(0, now - time_of_value):.0f} s)"
            cells.setdefault(line_name(series.tags), {})[metric.measurement] = cell
    return cells


def _aligned(kind: str, metrics: Sequence[Metric], cells: Mapping[str, Mapping[str, str]]) -> str:
    heading = [kind, *(metric.title for metric in metrics)]
    body = [
        [name, *(measured.get(metric.measurement, MISSING) for metric in metrics)]
        for name, measured in sorted(cells.items())
    ]
    rows = [heading, *(body or [[f"no {kind.lower()} has metrics", *[MISSING] * len(metrics)]])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
    return "".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        + "\n"
        for row in rows
    )
