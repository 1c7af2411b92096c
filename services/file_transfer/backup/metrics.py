"""Metrics: all points of an InfluxDB as line protocol, and back.

They are read a day at a time, oldest first. So no query is large, and the days that are over are the same bytes in each
backup, which restic stores once.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

from backup.archive import ArchiveError, Writable
from backup.influxdb import Influxdb
from backup.line_protocol import InexpressibleError, Types, lines

TAG = "metrics-"
"""A snapshot's tag is this and the database's name."""

_DAY = 86_400 * 10**9
_BATCH = 5000
_COMMENT = b"# InfluxDB line protocol, times in nanoseconds\n"  # restic does not store an empty file
_log = logging.getLogger("backup")


def filename(database: str) -> str:
    """Return the name of the file in the database's snapshot."""
    return f"{database}.lp"


def write(database: Influxdb, target: Writable, now: datetime) -> None:
    """Write all points of the database's default retention policy.

    Raises:
        InfluxdbError: it cannot be read.
    """
    target.write(_COMMENT)
    first = min((row[0] for series in database.query(_EARLIEST) for row in series.rows), default=None)
    if first is None:
        return
    types = _types(database)
    for condition in _days(first, now):
        for series in database.query(f"{_POINTS} WHERE {condition} GROUP BY *"):
            try:
                found = list(
                    lines(series.measurement, series.tags, series.columns, series.rows, types[series.measurement])
                )
            except InexpressibleError as error:
                _log.warning("a series of %a is left out of the backup: %s", series.measurement, error)
                continue
            if left_out := len(series.rows) - len(found):
                _log.warning("%d points of %a are left out of the backup", left_out, series.measurement)
            target.write("".join(found).encode())


def restore(database: Influxdb, stream: IO[bytes]) -> tuple[int, str]:
    """Write points back, and return how many, and what InfluxDB said about points that it dropped.

    They are merged into what is there, so this can be repeated.

    Raises:
        ArchiveError: the stream is cut short.
        InfluxdbError: it cannot be written.
    """
    points, said = 0, ""
    lines_of_points = (line for line in stream if not line.startswith(b"#"))
    while batch := list(itertools.islice(lines_of_points, _BATCH)):
        if not batch[-1].endswith(b"\n"):  # half a line can be a valid point, with another value or time
            raise ArchiveError("the metrics in the backup are cut short")
        said = database.write(batch) or said
        points += len(batch)
    return points, said


_POINTS = "SELECT * FROM /.*/"
_EARLIEST = f"{_POINTS} ORDER BY time LIMIT 1"


def _days(first: int, now: datetime) -> Iterator[str]:
    """Yield conditions for the days from the first point on. The last one has no end, since clocks differ."""
    start = first - first % _DAY
    today = int(now.astimezone(UTC).timestamp()) * 10**9 // _DAY * _DAY
    while start < today:
        yield f"time >= {start} AND time < {start + _DAY}"
        start += _DAY
    yield f"time >= {start}"


def _types(database: Influxdb) -> dict[str, Types]:
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for series in database.query("SHOW FIELD KEYS"):
        fields = found[series.measurement]
        for name, kind in series.rows:
            fields[name] = fields.get(name, frozenset()) | {kind}
    return defaultdict(dict, found)
