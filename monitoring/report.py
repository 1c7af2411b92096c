"""A report of the eight metrics as a picture, for where there is no Grafana."""

import base64
import io
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import log2
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from . import influxql
from .influxdb_client import Read, Series
from .metrics import CONTAINER_METRICS, VM_METRICS, Metric, line_name
from .units import human

_STEP = 15
"""Seconds between two points, the default of `monitoring.scrape_interval`."""

_GAP = 150
"""Seconds without a value after which a line is interrupted."""

_STYLES = ("-", "--")
_COLOURS = 10
_MAX_LINES = _COLOURS * len(_STYLES)
"""As many lines as can be distinguished and fit into a legend. Of more lines, those with the highest values stay."""

_BINARY = ("bytes", "bytes per second")

_MARKED_POINTS = 20
"""Lines with fewer points than this have markers, since a single point makes no line."""

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Metrics of the cluster</title>
<style>body{{font-family:system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem}}img{{width:100%}}</style>
</head>
<body>
<h1>Metrics of the cluster</h1>
<p>The {minutes} minutes before {now}, from the InfluxDBs of the VMs and of the containers.</p>
<img alt="CPU, memory, network in and network out of VMs and of containers" src="data:image/png;base64,{picture}">
</body>
</html>
"""


def write(read: Read, page: Path, *, minutes: int = 30, now: float | None = None) -> None:
    """Write the page with the eight panels, and its picture as a PNG next to it.

    Raises:
        InfluxdbError: a database cannot be read.
    """
    end = time.time() if now is None else now
    picture = draw(read, minutes=minutes, now=end)
    page.with_suffix(".png").write_bytes(picture)
    page.write_text(
        _PAGE.format(
            minutes=minutes,
            now=datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            picture=base64.b64encode(picture).decode(),
        )
    )


def draw(read: Read, *, minutes: int, now: float) -> bytes:
    """Draw the eight panels as a PNG: VMs on the left, containers on the right.

    Raises:
        InfluxdbError: a database cannot be read.
    """
    figure = Figure(figsize=(16, 18), layout="constrained")
    panels = figure.subplots(len(VM_METRICS), 2, squeeze=False)
    first_time = now
    # Each host and each task has the same style in all panels, in the order of their names.
    styles: dict[str, dict[str, int]] = {}
    for row, pair in zip(panels, zip(VM_METRICS, CONTAINER_METRICS, strict=True), strict=True):
        for axes, kind, metric in zip(row, ("VMs", "Containers"), pair, strict=True):
            lines = read(metric.database, influxql.history(metric, minutes, _STEP))
            names = styles.setdefault(metric.database, {})
            for name in sorted(line_name(series.tags) for series in lines):
                names.setdefault(name, len(names))
            _panel(axes, f"{kind}: {metric.title}", metric, lines, names)
            first_time = min([first_time, *(series.rows[0][0] for series in lines)])
    # If the cluster is younger than the report's time, all panels begin with its first value.
    for axes in panels.flat:
        axes.set_xlim(_time(max(first_time, now - minutes * 60) - _STEP), _time(now))
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    return picture.getvalue()


def _panel(axes: Axes, title: str, metric: Metric, lines: Sequence[Series], styles: Mapping[str, int]) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value, metric.unit)))
    locator = AutoDateLocator()  # type: ignore[no-untyped-call] # not annotated there
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # as above
    if not lines:
        axes.text(0.5, 0.5, "no data in this period", transform=axes.transAxes, ha="center", va="center", color="gray")
        return
    highest = sorted(lines, key=lambda series: max(value for _, value in series.rows), reverse=True)
    drawn = sorted(highest[:_MAX_LINES], key=lambda series: styles[line_name(series.tags)])
    for series in drawn:
        rows = _with_gaps(series.rows)
        name = line_name(series.tags)
        style, colour = divmod(styles[name], _COLOURS)
        axes.plot(
            [_time(seconds) for seconds, _ in rows],
            [value for _, value in rows],
            label=name,
            color=f"C{colour}",
            marker="." if len(rows) < _MARKED_POINTS else "",
            linestyle=_STYLES[style % len(_STYLES)],
        )
    axes.set_ylim(bottom=0)
    if metric.unit in _BINARY:
        axes.set_yticks(_binary_ticks(axes.get_ylim()[1]))
    handles = [*axes.get_lines()]
    if len(lines) > _MAX_LINES:
        handles.append(Line2D([], [], linestyle="", label=f"and {len(lines) - _MAX_LINES} lower lines"))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small")


def _binary_ticks(highest: float) -> list[float]:
    """Return ticks from 0 to the highest value, at round numbers of KiB, MiB and so on."""
    prefix = 1024.0 ** max(0, int(log2(highest) // 10)) if highest > 1 else 1.0
    ticks = MaxNLocator(nbins=6, steps=(1, 2, 5, 10)).tick_values(0, highest / prefix)
    return [float(tick * prefix) for tick in ticks if tick * prefix <= highest]


def _with_gaps(rows: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return the rows, with a NaN inserted wherever too much time lies between two of them."""
    drawn: list[tuple[float, float]] = []
    for seconds, value in rows:
        if drawn and seconds - drawn[-1][0] > _GAP:
            drawn.append((seconds, float("nan")))
        drawn.append((seconds, value))
    return drawn


def _time(seconds: float) -> float:
    """Convert seconds since 1970 to Matplotlib's number."""
    return float(date2num(datetime.fromtimestamp(seconds, UTC)))  # type: ignore[no-untyped-call] # as above
