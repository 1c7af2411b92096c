"""Measures the file service on one machine when its index has many names: lists, an upload, a sweep, memory.

    PYTHONPATH=services/file_transfer python -m bench.names [NAMES…]

Prints a table with one row for each number of names; by default 1,000 and 1,000,000.
"""

import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, insert

from bench import peers
from bench.process_tree import usage
from bench.serving import serving
from file_transfer.catalogue import Catalogue
from file_transfer.clock import now
from file_transfer.index import schema
from file_transfer.index.migrate import migrate
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.limits import Limits
from file_transfer.stores.directory import DirectoryStore
from file_transfer.sweep import sweep
from lab.paths import cache_dir

_BATCH = 10_000
_CONTENT = bytes(100)
_TIMES = 20
_PAGE = 1000
_COLUMNS = ("names", "first page", "middle", "last", "CPU a page", "PUT", "sweep", "peak", "index")


def measure(count: int, folder: Path) -> list[str]:
    """Return one row of the table: times in ms as median and maximum, memory and the index's size in MiB."""
    data = folder / "data"
    data.mkdir(parents=True)
    database = SqliteDatabase(data / "index.sqlite")
    migrate(database)
    for first in range(0, count, _BATCH):
        database.write(_filling(range(first, min(first + _BATCH, count))))
    catalogue = Catalogue(database, DirectoryStore(data / "chunks"), Limits(max_file=2**30))
    swept = _times(lambda: sweep(catalogue))
    database.close()
    with serving(peers.ours(), folder) as (url, pid):
        afters = ("", _name(count // 2), _name(max(count - _PAGE - 1, 0)))
        before = usage(pid).cpu_seconds
        pages = [_times(partial(_get, f"{url}/files?limit={_PAGE}&after={after}")) for after in afters]
        cpu = 1000 * (usage(pid).cpu_seconds - before) / (len(pages) * _TIMES)
        put = _times(partial(_put, f"{url}/files/another"))
        peak = usage(pid).peak_bytes
    size = sum(path.stat().st_size for path in data.glob("index.sqlite*"))
    return [f"{count:,}", *pages, f"{cpu:.0f}", put, swept, f"{peak / 2**20:.0f}", f"{size / 2**20:.0f}"]


def _filling(numbers: range) -> Callable[[Connection], None]:
    """Return a change that publishes a small file for each number. Half of them expire some day."""
    moment = now()
    rows = [
        {
            "name": _name(number),
            "version": uuid4(),
            "size": len(_CONTENT),
            "sha256": bytes(32),
            "modified": moment,
            "expires": moment + timedelta(days=30, seconds=number) if number % 2 else None,
            "data": _CONTENT,
        }
        for number in numbers
    ]

    def fill(connection: Connection) -> None:
        connection.execute(insert(schema.files), rows)

    return fill


def _name(number: int) -> str:
    return f"file-{number:09}"


def _times(action: Callable[[], object]) -> str:
    """Return the median and the maximum of some repetitions in ms, as text."""
    found = []
    for _ in range(_TIMES):
        started = time.perf_counter()
        action()
        found.append(1000 * (time.perf_counter() - started))
    return f"{statistics.median(found):.1f}, {max(found):.1f}"


def _get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=30) as response:
        response.read()


def _put(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, _CONTENT, method="PUT"), timeout=30).close()


def main() -> None:
    """Measure each number of names, and print the table."""
    print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
    for count in [int(argument) for argument in sys.argv[1:]] or [1000, 1_000_000]:
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="bench-names-") as folder:
            print(f"| {' | '.join(measure(count, Path(folder)))} |", flush=True)


if __name__ == "__main__":
    main()
