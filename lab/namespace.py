"""The lab's network namespace. The network 192.168.50.0/24 exists only inside it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.paths import Lab

_NAMESPACES = Path("/run/netns")


def create(lab: Lab) -> None:
    """Create the namespace if it does not exist, and bring its loopback up."""
    if not exists(lab):
        subprocess.run(["ip", "netns", "add", lab.namespace], check=True)
    subprocess.run(command(lab, ["ip", "link", "set", "lo", "up"]), check=True)


def remove(lab: Lab) -> None:
    """Remove the namespace. Stop its processes first: any that still run would keep it alive unseen."""
    if (_NAMESPACES / lab.namespace).exists():
        subprocess.run(["ip", "netns", "delete", lab.namespace], check=True)


def exists(lab: Lab) -> bool:
    """Return whether the namespace exists and is mounted. A restart of the machine can leave a plain file there."""
    path = _NAMESPACES / lab.namespace
    return path.exists() and path.stat().st_dev != _NAMESPACES.stat().st_dev


def is_current(lab: Lab) -> bool:
    """Return whether this process runs in the lab's namespace."""
    return exists(lab) and (_NAMESPACES / lab.namespace).stat().st_ino == Path("/proc/self/ns/net").stat().st_ino


def command(lab: Lab, arguments: Sequence[str]) -> list[str]:
    """Return the command in a form that runs inside the namespace, where the hosts can be reached.

    This uses `nsenter`, because `ip netns exec` would mount another /sys, without the cgroups that engines need.
    """
    if is_current(lab):
        return list(arguments)
    return ["nsenter", f"--net={_NAMESPACES / lab.namespace}", "--", *arguments]


def members(lab: Lab) -> list[int]:
    """Return the ids of the other processes in the namespace."""
    if not exists(lab):
        return []
    done = subprocess.run(["ip", "netns", "pids", lab.namespace], capture_output=True, text=True, check=True)
    return [int(pid) for pid in done.stdout.split() if int(pid) != os.getpid()]
