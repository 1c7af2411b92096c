"""Measures how the time of a preview grows with the number of hosts, with mocks in place of Pulumi's engine.

    python -m bench.growth [--json] [ROUNDS]

Each run is a separate process (`bench.mock_program`). Prints a table of medians, or one JSON document.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

SIZES = (2, 10, 50, 200)
TARGET_MS = 50
"""The target: each additional host adds at most this many milliseconds."""

_ROOT = Path(__file__).parent.parent
_MIB = 2**20
_HEADER = (
    "hosts", "resources", "dependencies", "wall s", "CPU s", "programs s", "peak MiB", "wall ms/host", "CPU ms/host",
)  # fmt: skip
_NOTES = """
"programs s": CPU seconds of the programs that the run starts; these are included in "CPU s".
"peak MiB": resident memory of the largest process.
"ms/host": milliseconds that each host adds, compared with the row above.
Included: Python's start and imports, settings, `ssh-keygen` once a host, all registrations, {promtool}.
Not included: Pulumi's engine and providers, and the preflight check, which asks every host by ssh.
"""


@dataclass(frozen=True)
class Measured:
    """The figures of one run; CPU seconds and peak memory include the programs that it starts."""

    hosts: int
    resources: int
    dependencies: int
    wall_seconds: float
    cpu_seconds: float
    programs_cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Slope:
    """The milliseconds that each host adds between one size and the next."""

    wall_ms: float
    cpu_ms: float


def measure(hosts: int) -> Measured:
    """Run the program for this number of hosts.

    Raises:
        subprocess.CalledProcessError: the program failed; its error is on standard error.
    """
    command = [sys.executable, "-m", "bench.mock_program", str(hosts)]
    started = time.monotonic()
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(
        hosts=hosts,
        wall_seconds=time.monotonic() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
        **json.loads(output.splitlines()[-1]),
    )


def median(runs: Sequence[Measured]) -> Measured:
    """Return the median of each figure. For an even number of runs it is the lower one of the middle two."""
    return Measured(**{name: statistics.median_low(getattr(run, name) for run in runs) for name in asdict(runs[0])})


def slopes(runs: Sequence[Measured]) -> list[Slope]:
    """Return what each host adds from each size to the next."""
    return [
        Slope(
            wall_ms=(more.wall_seconds - fewer.wall_seconds) / (more.hosts - fewer.hosts) * 1000,
            cpu_ms=(more.cpu_seconds - fewer.cpu_seconds) / (more.hosts - fewer.hosts) * 1000,
        )
        for fewer, more in pairwise(runs)
    ]


def table(runs: Sequence[Measured]) -> str:
    """Return the runs as an aligned Markdown table, and whether the target is met.

    CPU time is judged separately, because on a busy machine most of the wall time belongs to other programs.
    """
    found = slopes(runs)
    added = [("", ""), *((f"{slope.wall_ms:.0f}", f"{slope.cpu_ms:.0f}") for slope in found)]
    rows = [
        (
            f"{run.hosts}", f"{run.resources:,}", f"{run.dependencies:,}", f"{run.wall_seconds:.1f}",
            f"{run.cpu_seconds:.1f}", f"{run.programs_cpu_seconds:.2f}", f"{run.peak_bytes / _MIB:.0f}", *more,
        )
        for run, more in zip(runs, added, strict=True)
    ]  # fmt: skip
    lines = [_HEADER, tuple("-" * (len(name) - 1) + ":" for name in _HEADER), *rows]
    text = [
        "| " + " | ".join(cell.rjust(len(name)) for cell, name in zip(line, _HEADER, strict=True)) + " |"
        for line in lines
    ]
    verdict = ", ".join(
        f"{name} {worst:.0f}: {'met' if worst <= TARGET_MS else 'missed'}"
        for name, worst in (
            ("wall", max(slope.wall_ms for slope in found)),
            ("CPU", max(slope.cpu_ms for slope in found)),
        )
    )
    return "\n".join([*text, "", f"target: at most {TARGET_MS} ms a host; {verdict}"])


def notes(*, promtool: bool) -> str:
    """Return notes that say what the figures include."""
    if promtool:
        return _NOTES.format(promtool="promtool's check").strip()
    missing = """promtool is not on this machine, so its check of Prometheus's files is not included.
It is in the Debian package prometheus, which `make test` installs."""
    return _NOTES.format(promtool="no promtool").strip() + "\n" + missing


def main() -> None:
    """Measure all sizes and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("rounds", nargs="?", type=int, default=3)
    arguments = parser.parse_args()
    promtool = shutil.which("promtool") is not None
    rounds = [[measure(hosts) for hosts in SIZES] for _ in range(arguments.rounds)]
    runs = [median(of_one_size) for of_one_size in zip(*rounds, strict=True)]
    if arguments.json:
        document = {
            "runs": [asdict(run) for run in runs],
            "between": [asdict(slope) for slope in slopes(runs)],
            "target_ms": TARGET_MS,
            "promtool": promtool,
        }
        print(json.dumps(document, indent=2))
    else:
        print(f"{table(runs)}\n\n{notes(promtool=promtool)}")


if __name__ == "__main__":
    main()
