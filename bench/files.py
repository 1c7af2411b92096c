"""Compares the file service with other servers on one machine: 1 GiB by curl, and 16 KiB files over 64 connections.

    python -m bench.files [ROUNDS [PEER…]]

Each round starts and measures every server in turn, in a different order each time. Prints a table of medians, and last
a line with the figures of the file service that have targets.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from bench import peer_programs, peers
from bench.peers import Peer
from bench.process_tree import usage
from bench.serving import serving
from lab.paths import cache_dir

SIZE = 2**30
MIB = 2**20
LARGE = 64 * MIB
CONNECTIONS = 64
SMALL_SECONDS = 2
SMALL_SCRIPT = Path(__file__).parent / "small.lua"
COLUMNS = {
    "1 GiB up": "{upload:.2f} ({upload_cpu:.2f})",
    "1 GiB down": "{download:.2f} ({download_cpu:.2f})",
    "16 KiB up": "{small_up:,.0f} ({small_up_cpu:.2f})",
    "16 KiB down": "{small_down:,.0f} ({small_down_cpu:.2f})",
    "peak": "{peak:.0f}",
}
Figures = dict[str, float]


def measure(peer: Peer, file: Path, folder: Path) -> Figures:
    """Return all figures of one server: seconds, CPU seconds, requests a second, CPU milliseconds a request, MiB."""
    with serving(peer, folder) as (url, pid):

        def used() -> float:
            return usage(pid).cpu_seconds

        figures, before = {}, used()
        figures["upload"] = curl(*peer.upload(url, file, "large"), "-o", "/dev/null")
        figures["upload_cpu"], before = used() - before, used()
        figures["download"] = curl(f"{url}{peer.path}large", "-o", "/dev/null")
        figures["download_cpu"], before = used() - before, used()
        up = wrk(url, "up", peer.path, "0", *([peer.form_field, peer.form] if peer.form_field else []))
        figures["small_up"] = up["requests"] / up["seconds"]
        figures["small_up_cpu"], before = 1000 * (used() - before) / up["requests"], used()
        # The last request of each connection may have been cut off, so those files are not requested.
        down = wrk(url, "down", peer.path, str(min(1000, int(up["sent"]) - CONNECTIONS)))
        figures["small_down"] = down["requests"] / down["seconds"]
        figures["small_down_cpu"] = 1000 * (used() - before) / down["requests"]
        figures["peak"] = usage(pid).peak_bytes / MIB
        return figures


def copied(file: Path, folder: Path) -> Figures:
    """Return the figures of `cp`, for comparison."""
    before = os.times()
    started = time.perf_counter()
    subprocess.run(["cp", file, folder / "data" / "large"], check=True)
    seconds, after = time.perf_counter() - started, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"upload": seconds, "upload_cpu": cpu}


def discard_large(folder: Path) -> None:
    """Delete large files to free space, but keep small files until all servers are measured.

    ext4 without a journal skips inodes that were freed in the last minutes whenever it looks for a free one. Deleting
    this server's many small files would therefore slow down the next server.
    """
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size >= LARGE:
            path.unlink()


def random_file(folder: Path) -> Path:
    """Create a file of SIZE random bytes, which cannot be compressed."""
    path = folder / "file"
    with path.open("wb") as content:
        for _ in range(SIZE // MIB):
            content.write(os.urandom(MIB))
    return path


def curl(*arguments: str) -> float:
    """Run curl with these arguments, and return the seconds that it takes."""
    started = time.perf_counter()
    subprocess.run(["curl", "-fsS", "--noproxy", "*", *arguments], check=True)
    return time.perf_counter() - started


def wrk(url: str, *arguments: str) -> Figures:
    """Run wrk with the script for small files, and return the figures that the script prints last."""
    options = ["-t2", f"-c{CONNECTIONS}", f"-d{SMALL_SECONDS}s", "--timeout", "10s", "-s", str(SMALL_SCRIPT)]
    command = [*peer_programs.wrk(), *options, url, "--", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    if found["refused"] or found["broken"]:
        print(f"{arguments[0]}: {found}", file=sys.stderr)
    return found


def table(medians: dict[str, Figures]) -> str:
    """Return the medians as a Markdown table, with CPU times in parentheses."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, found in medians.items():
        known = defaultdict(lambda: math.nan, found)
        lines.append(f"| {name} | {' | '.join(form.format_map(known) for form in COLUMNS.values())} |")
    return "\n".join(lines).replace("nan (nan)", "-").replace("nan", "-")


def summary(medians: dict[str, Figures]) -> str:
    """Return one line with the file service's speed relative to others, its memory in MiB, its requests a second."""
    ours = medians["ours"]
    ratios = [
        f"{column}/{name}={medians[name][column] / ours[column]:.2f}"
        for column, name in (("upload", "dufs"), ("upload", "nginx"), ("download", "nginx"))
        if name in medians
    ]
    figures = [
        f"rss_mib={ours['peak']:.0f}",
        f"small_up={ours['small_up']:.0f}",
        f"small_down={ours['small_down']:.0f}",
    ]
    return " ".join([*ratios, *figures])


def main() -> None:
    """Run the rounds and print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    known = {peer.name: peer for peer in peers.all_peers()}
    names = sys.argv[2:] or [*known, "cp"]
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="bench-files-") as work:
        file = random_file(Path(work))
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                folder = Path(work) / f"{number}-{name}"
                (folder / "data").mkdir(parents=True)
                os.sync()  # earlier writes must not slow down this measurement
                figures = measure(known[name], file, folder) if name in known else copied(file, folder)
                discard_large(folder)
                print(name, json.dumps({key: round(value, 3) for key, value in figures.items()}), file=sys.stderr)
                for key, value in figures.items():
                    found[name][key].append(value)
    medians = {name: {key: statistics.median(values) for key, values in by.items()} for name, by in found.items()}
    print(table(medians))
    if "ours" in medians:
        print(summary(medians))


if __name__ == "__main__":
    main()
