"""What faults did to users, as rows of the table in docs/faults.md."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cluster import Cluster
from load import Load, Transfer
from series import GRID, NODES

from monitoring.influxdb_client import InfluxdbError
from monitoring.metrics import VM_METRICS

HEADER = (
    "| Fault | Uploads again after | Downloads again after | Failed requests | Lost files | Lost samples |\n"
    "|---|---|---|---|---|---|"
)
_SERIES = VM_METRICS[1]


@dataclass
class Row:
    """A fault, and what came of it. Its time is by the clock of the samples."""

    cells: list[str]
    began: float
    ended: float
    nodes: Sequence[str]
    lost_samples: int | None = None

    def __str__(self) -> str:
        samples = "not counted" if self.lost_samples is None else str(self.lost_samples)
        return f"| {' | '.join([*self.cells, samples])} |"


@dataclass
class Table:
    """The rows so far."""

    rows: list[Row] = field(default_factory=list)

    def add(self, fault: str, load: Load, began: float, *, lost: Sequence[str], nodes: Sequence[str] = NODES) -> None:
        """Add what the load has seen since a fault began, by the monotonic clock. The fault is over.

        The samples of these nodes are counted later, by `count_samples`. Without any node, they are not counted.
        """
        transfers = [transfer for transfer in load.transfers if transfer.began + transfer.seconds > began]
        failed = [transfer for transfer in transfers if not transfer.ok]
        cells = [
            fault,
            _last([transfer for transfer in failed if transfer.upload], began),
            _last([transfer for transfer in failed if not transfer.upload], began),
            f"{len(failed)} of {len(transfers)}",
            str(len(lost)),
        ]
        now = time.time()
        self.rows.append(Row(cells, now - (time.monotonic() - began), now, nodes))

    def count_samples(self, cluster: Cluster) -> None:
        """Count the lost samples of the rows that lack them. Waits once until InfluxDB has a sample of now."""
        rows = [row for row in self.rows if row.nodes and row.lost_samples is None]
        if rows:
            _wait_for_samples(cluster, sorted({node for row in rows for node in row.nodes}))
        for row in rows:
            row.lost_samples = len(_gaps(cluster, row.began, row.ended, row.nodes))


def _wait_for_samples(cluster: Cluster, nodes: Sequence[str]) -> None:
    """Wait until InfluxDB has a sample of now from each of these hosts."""
    now = time.time()

    def last() -> list[float]:
        try:
            return [max(at, default=0) for at in _times(cluster, now, nodes)]
        except InfluxdbError:  # its host may just have come back
            return [0]

    cluster.eventually(lambda: min(last()) > now, seconds=180, shown=last)


def _gaps(cluster: Cluster, began: float, ended: float, nodes: Sequence[str]) -> list[float]:
    return sorted(
        lost
        for at in _times(cluster, began, nodes)
        for earlier, later in itertools.pairwise(at)
        for step in range(1, round((later - earlier) / GRID))
        if began <= (lost := earlier + GRID * step) <= ended
    )


def _times(cluster: Cluster, began: float, nodes: Sequence[str]) -> list[list[float]]:
    """Return the times of each host's samples, from shortly before this time on."""
    query = f'SELECT "value" FROM "{_SERIES.measurement}" WHERE time >= {int(began) - 2 * GRID}s GROUP BY "node"'
    found = {series.tags["node"]: [row[0] for row in series.rows] for series in cluster.read("vms", query)}
    return [found.get(node, []) for node in nodes]


def _last(failed: Sequence[Transfer], began: float) -> str:
    """Return how long after the fault began the last of these transfers ended."""
    if not failed:
        return "none failed"
    return f"{max(transfer.began + transfer.seconds for transfer in failed) - began:.0f} s"
