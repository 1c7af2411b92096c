"""Measures one very large file on one machine: by PUT and by tus, its record in the index, and the time of HEAD.

    python -m bench.large_file [GIB]

The source is sparse, but the service stores every byte: by default 10 GiB, twice, one after the other.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

from bench import files, peers
from bench.process_tree import usage
from bench.serving import serving
from lab.paths import cache_dir

_TIMES = 20
_COLUMNS = ("by", "seconds", "CPU s", "peak MiB", "rows", "bytes of values", "HEAD ms: median, maximum")
_ROWS = (
    "SELECT * FROM files",
    "SELECT * FROM contents WHERE state = 'live'",
    "SELECT chunks.* FROM chunks JOIN contents ON content_id = contents.id WHERE state = 'live'",
    "SELECT * FROM uploads",
)


def measure(source: Path, folder: Path, by: str) -> list[str]:
    """Upload the file and return one row of the table."""
    (folder / "data").mkdir(parents=True)
    with serving(peers.ours(), folder) as (url, pid):
        started = time.perf_counter()
        if by == "PUT":
            files.curl("-H", "Expect:", "-T", str(source), f"{url}/files/{source.name}", "-o", "/dev/null")
        else:
            client = [sys.executable, "-m", "file_transfer_client", "put", str(source)]
            environment = {**os.environ, "PYTHONPATH": str(peers.CLIENT), "FILE_TRANSFER_URL": url}
            subprocess.run(client, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        used = usage(pid)
        heads = []
        for _ in range(_TIMES):
            began = time.perf_counter()
            head = urllib.request.Request(f"{url}/files/{source.name}", method="HEAD")
            with urllib.request.urlopen(head, timeout=30) as response:
                if int(response.headers["Content-Length"]) != source.stat().st_size:
                    sys.exit("the stored file has another size")
            heads.append(1000 * (time.perf_counter() - began))
        rows, size = _record(folder / "data" / "index.sqlite")
    return [
        by, f"{seconds:.0f}", f"{used.cpu_seconds:.0f}", f"{used.peak_bytes / 2**20:.0f}", str(rows), f"{size:,}",
        f"{statistics.median(heads):.1f}, {max(heads):.1f}",
    ]  # fmt: skip


def _record(index: Path) -> tuple[int, int]:
    """Return how many rows and how many bytes of values the index has for the only file."""
    with closing(sqlite3.connect(index)) as connection:
        rows = [row for query in _ROWS for row in connection.execute(query)]
    return len(rows), sum(_size(value) for row in rows for value in row)


def _size(value: object) -> int:
    if isinstance(value, int):
        return 8
    return len(value.encode() if isinstance(value, str) else value) if isinstance(value, str | bytes) else 0


def main() -> None:
    """Upload the file both ways, and print the table."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|")
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="bench-large-") as work:
        source = Path(work) / "large"
        with source.open("wb") as file:
            file.truncate(size * 2**30)
        for by in ("PUT", "tus"):
            with tempfile.TemporaryDirectory(dir=work) as folder:
                print(f"| {' | '.join(measure(source, Path(folder), by))} |", flush=True)


if __name__ == "__main__":
    main()
