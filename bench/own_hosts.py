"""Separate hosts for the benchmarks that need a cluster."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import demo, engine, lifecycle, stack
from lab.paths import Lab

LAB = Lab(name="bench", checkout=Path(__file__).parent.parent)
ADDRESSES = {"master": "192.168.50.2", "slave": "192.168.50.3"}


@contextmanager
def own_hosts() -> Iterator[None]:
    """Lock the benchmarks' lab, and remove it at the end. After an error it is kept for inspection."""
    with engine.exclusive(LAB):
        yield
        engine.remove(LAB)
        engine.lock_file(LAB).unlink()
    shutil.rmtree(LAB.local_dir)


def fresh_hosts() -> Path:
    """Create new, empty hosts, and return the folder of the Pulumi CLI."""
    demo.discard_hosts(LAB)
    return demo.prepare(LAB)


def deployed() -> Path:
    """Create new hosts, deploy the cluster on them, and return the folder of the Pulumi CLI."""
    tools = fresh_hosts()
    stack.pulumi(LAB, tools, "up", "--yes", "--skip-preview")
    return tools


def is_reachable() -> bool:
    """Return whether this process is in the lab's network, where the hosts can be reached."""
    return lifecycle.of(LAB).is_reachable()


def run_there(module: str, *arguments: str, **environment: str) -> None:
    """Run a module in the lab's network, where the hosts can be reached."""
    command = lifecycle.of(LAB).command([sys.executable, "-m", module, *arguments])
    subprocess.run(command, env={**os.environ, **environment}, check=True)


def ask(host: str, script: str, *, seconds: int = 60) -> str:
    """Run a script on a host and return its output; it may take this many seconds."""
    return demo.ask_host(LAB, ADDRESSES[host], script, timeout=seconds)
