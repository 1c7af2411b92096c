"""The eight metrics of every host and task as a text table: the freshest value of each, and its age."""

import time
from collections.abc import Iterable, Mapping, Sequence

from monitoring import influxql
from monitoring.influxdb_client import Read
from monitoring.metrics import CONTAINER_METRICS, VM_METRICS, Metric, line_name
from monitoring.units import human

MISSING = "missing"
"""What stands where a host or a task has no value."""

_MINUTES = 10
"""Older values are missing ones."""


def table(read: Read, hosts: Iterable[str] = (), now: float | None = None) -> str:
    """Two tables, hosts and tasks; each cell is «VALUE (AGE s)». All of `hosts` have a row, measured or not.

    Raises:
        InfluxdbError: a database cannot be read.
    """
    at = time.time() if now is None else now
    unmeasured: dict[str, dict[str, str]] = {host: {} for host in hosts}
    vms = unmeasured | _cells(read, VM_METRICS, at)
    tasks = _cells(read, CONTAINER_METRICS, at)
    return f"{_aligned('Host', VM_METRICS, vms)}\n{_aligned('Task', CONTAINER_METRICS, tasks)}"


def _cells(read: Read, metrics: Sequence[Metric], now: float) -> dict[str, dict[str, str]]:
    """Line -> measurement -> cell."""
    cells: dict[str, dict[str, str]] = {}
    for metric in metrics:
        for series in read(metric.database, influxql.latest(metric, _MINUTES)):
            at, value = series.rows[0]
            cell = f"{human(value, metric.unit)} ({max(0, now - at):.0f} s)"
            cells.setdefault(line_name(series.tags), {})[metric.measurement] = cell
    return cells


def _aligned(kind: str, metrics: Sequence[Metric], cells: Mapping[str, Mapping[str, str]]) -> str:
    heading = [kind, *(metric.title for metric in metrics)]
    body = [
        [name, *(measured.get(metric.measurement, MISSING) for metric in metrics)]
        for name, measured in sorted(cells.items())
    ]
    rows = [heading, *(body or [[f"no {kind.lower()} is measured", *[MISSING] * len(metrics)]])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
    return "".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        + "\n"
        for row in rows
    )
