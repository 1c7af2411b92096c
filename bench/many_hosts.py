"""Measures `pulumi up` on several numbers of real hosts, all containers on this machine.

    python -m bench.many_hosts [HOSTS...]

For each number, new hosts are made (one manager, the rest workers) and the whole cluster is deployed on them. Prints a
Markdown table: the seconds of the first `up`, of one that changes nothing and of a preview, the largest number of ssh
connections that the first manager had at the same time, and the memory that the hosts then use, without the page cache.
The memory is read from control groups of version 1.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from bench.deploy import plugins, timed
from bench.own_hosts import LAB, fresh_hosts, own_hosts
from components.ssh import SshError
from lab import configuration, demo, hosts, stack

SIZES = (2, 4, 8)
_LEAST = 2
_FIRST = 2
"""The last byte of the first manager's address."""

_MEMORY = Path("/sys/fs/cgroup/memory")
_EVERY_SECONDS = 1.0


def most_connections(end: threading.Event) -> int:
    """Count the first manager's ssh connections every second until `end` is set, and return the largest number.

    The connection that asks is not counted.
    """
    most = 0
    while not end.wait(_EVERY_SECONDS):
        try:
            found = demo.ask_host(LAB, _address(0), "ss --no-header --tcp state established sport = :22 | wc -l")
        except SshError:  # a refused login does not end the measurement
            continue
        most = max(most, int(found) - 1)
    return most


def measure(size: int) -> str:
    """Deploy on this number of new hosts, and return the table's row."""
    tools = fresh_hosts()
    _list_hosts(size)
    hosts.up(LAB)

    def seconds(*command: str) -> float:
        return timed(lambda: stack.pulumi(LAB, tools, *command))

    end = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        counting = pool.submit(most_connections, end)
        try:
            up = seconds("up", "--yes", "--skip-preview")
        finally:
            end.set()
        connections = counting.result()
    no_op = seconds("up", "--yes", "--skip-preview", "--expect-no-changes")
    preview = seconds("preview", "--expect-no-changes")
    return f"| {size} | {up:.0f} | {no_op:.1f} | {preview:.1f} | {connections} | {_memory_mib():.0f} |"


def _list_hosts(size: int) -> None:
    """Write the list of hosts into the lab's configuration: its two, and others like the second."""
    document: dict[str, Any] = yaml.safe_load(LAB.config_file.read_text())
    key = configuration.key("hosts")
    manager, worker = document["config"][key]
    document["config"][key] = [
        manager,
        worker,
        *({**worker, "name": f"worker-{number}", "address": _address(number)} for number in range(2, size)),
    ]
    LAB.config_file.write_text(yaml.safe_dump(document))


def _address(number: int) -> str:
    return f"192.168.50.{_FIRST + number}"


def _memory_mib() -> float:
    """Return the memory of the lab's processes in MiB, as their control groups count it, without the page cache."""
    statistics = dict(line.split() for line in (_MEMORY / LAB.namespace / "memory.stat").read_text().splitlines())
    return int(statistics["total_rss"]) / 2**20


def main() -> None:
    """Run all sizes and print the table."""
    sizes = [int(argument) for argument in sys.argv[1:]] or SIZES
    if min(sizes) < _LEAST:
        sys.exit(f"the cluster needs {_LEAST} hosts or more")
    if not _MEMORY.exists():
        sys.exit(f"{_MEMORY} is missing: this machine has no control groups of version 1")
    with own_hosts():
        rows = [measure(size) for size in sizes]
        used = plugins()
    header = "| hosts | first `up`, s | `up` again, s | preview, s | ssh connections at the same time | memory, MiB |"
    print("\n".join([f"\nPlugins: {used}.\n", header, "|---|---|---|---|---|---|", *rows]))


if __name__ == "__main__":
    main()
