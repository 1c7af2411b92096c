"""The CPU time and memory of a process and its descendants, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """CPU seconds of all processes, including ended ones, and the peak resident memory of the largest, in bytes."""

    cpu_seconds: float
    peak_bytes: int


def usage(root: int) -> Usage:
    """Return the usage of the process with this id and of its descendants."""
    # The second field of `stat` is the process's name in parentheses, which may contain spaces and parentheses itself.
    fields = {pid: _read(pid, "stat").rpartition(")")[2].split() for pid in _pids()}
    tree = {root}
    while more := {pid for pid, found in fields.items() if found and int(found[1]) in tree} - tree:
        tree |= more
    ticks = sum(int(number) for pid in tree for number in fields[pid][11:15])
    return Usage(ticks / _TICKS, max(_peak(pid) for pid in tree))


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _peak(pid: int) -> int:
    for line in _read(pid, "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # the process has just ended
