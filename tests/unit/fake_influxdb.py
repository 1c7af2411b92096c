"""A fake InfluxDB for tests of the code that reads one."""

from monitoring.influxdb_client import Series
from monitoring.metrics import CONTAINERS, EIGHT

NOW = 1_795_000_000.0


def measured(database: str, text: str) -> list[Series]:
    """Return series for any of the eight metrics: those of both hosts, or of two tasks of the file service."""
    (measurement,) = [metric.measurement for metric in EIGHT if f'"{metric.measurement}"' in text]
    of_tasks = [{"service": "files", "slot": slot, "node": "master", "cluster": "lab"} for slot in ("1", "2")]
    of_hosts = [{"node": node, "cluster": "lab"} for node in ("master", "slave")]
    return [
        Series(measurement, tags, ("time", "last"), tuple((NOW - age, 0.25) for age in (5.0, 20.0, 400.0)))
        for tags in (of_tasks if database == CONTAINERS else of_hosts)
    ]
