"""Hosts of their own for the benchmarks that need a cluster."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import demo, engine, namespace, stack
from lab.paths import Lab

LAB = Lab(name="bench", checkout=Path(__file__).parent.parent)
ADDRESSES = {"master": "192.168.50.2", "slave": "192.168.50.3"}


@contextmanager
def own_hosts() -> Iterator[None]:
    """Nobody else uses the lab meanwhile; it is taken away at the end, and left to look at when something fails."""
    with engine.exclusive(LAB):
        yield
        engine.remove(LAB)
        engine.lock_file(LAB).unlink()
    shutil.rmtree(LAB.local_dir)


def fresh_hosts() -> Path:
    """New hosts, with nothing on them; returns the folder of the Pulumi CLI."""
    demo.discard_hosts(LAB)
    return demo.prepare(LAB)


def deployed() -> Path:
    """New hosts with the cluster on them; returns the same."""
    tools = fresh_hosts()
    stack.pulumi(LAB, tools, "up", "--yes", "--skip-preview")
    return tools


def is_reachable() -> bool:
    """Whether this process is where the hosts can be reached."""
    return namespace.is_current(LAB)


def run_there(module: str, *arguments: str, **environment: str) -> None:
    """Run a module where the hosts can be reached."""
    command = namespace.command(LAB, [sys.executable, "-m", module, *arguments])
    subprocess.run(command, env={**os.environ, **environment}, check=True)


def ask(host: str, script: str, *, seconds: int = 60) -> str:
    """What a script prints on a host; it may take so long."""
    return demo.ask_host(LAB, ADDRESSES[host], script, timeout=seconds)
