"""The file service against others, on one machine: a file of 1 GiB by curl, and files of 16 KiB over 64 connections.

    python -m bench.files [ROUNDS [PEER…]]

In each round every server is started anew and measured in turn, each time in another order; what counts is the median.
Prints a table, and last a line with what is wanted of ours.
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
    """All figures of one server, in seconds, CPU seconds, requests a second, CPU milliseconds a request and MiB."""
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
        # What was on its way when the time was over may not be there.
        down = wrk(url, "down", peer.path, str(min(1000, int(up["sent"]) - CONNECTIONS)))
        figures["small_down"] = down["requests"] / down["seconds"]
        figures["small_down_cpu"] = 1000 * (used() - before) / down["requests"]
        figures["peak"] = usage(pid).peak_bytes / MIB
        return figures


def copied(file: Path, folder: Path) -> Figures:
    """The same by `cp`, for comparison."""
    before = os.times()
    started = time.perf_counter()
    subprocess.run(["cp", file, folder / "data" / "large"], check=True)
    seconds, after = time.perf_counter() - started, os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"upload": seconds, "upload_cpu": cpu}


def discard_large(folder: Path) -> None:
    """Make room, but leave small files until all is measured.

    ext4 without a journal steps over each inode that was freed in the last minutes whenever it looks for a new one: the
    next server would pay for as many as this one's files.
    """
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size >= LARGE:
            path.unlink()


def random_file(folder: Path) -> Path:
    """A file of SIZE bytes that no storage can make smaller."""
    path = folder / "file"
    with path.open("wb") as content:
        for _ in range(SIZE // MIB):
            content.write(os.urandom(MIB))
    return path


def curl(*arguments: str) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    subprocess.run(["curl", "-fsS", "--noproxy", "*", *arguments], check=True)
    return time.perf_counter() - started


def wrk(url: str, *arguments: str) -> Figures:
    """What the script says of its run."""
    options = ["-t2", f"-c{CONNECTIONS}", f"-d{SMALL_SECONDS}s", "--timeout", "10s", "-s", str(SMALL_SCRIPT)]
    command = [*peer_programs.wrk(), *options, url, "--", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    if found["refused"] or found["broken"]:
        print(f"{arguments[0]}: {found}", file=sys.stderr)
    return found


def table(medians: dict[str, Figures]) -> str:
    """In Markdown; CPU time in parentheses."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, found in medians.items():
        known = defaultdict(lambda: math.nan, found)
        lines.append(f"| {name} | {' | '.join(form.format_map(known) for form in COLUMNS.values())} |")
    return "\n".join(lines).replace("nan (nan)", "-").replace("nan", "-")


def summary(medians: dict[str, Figures]) -> str:
    """How many times as fast as the others ours is, and what it needs and does in absolute figures."""
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
    """Run the rounds."""
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
                os.sync()  # what was written before is not to be paid for now
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
