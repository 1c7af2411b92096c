"""Clean up after a killed Pulumi run: its lock, and plugins that continue their last operation.

What it leaves in the state is for `operations/recover.py`.
"""

import json
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

from lab.packages import LabError

_END_SECONDS = 10


def clear_locks(folder: Path) -> bool:
    """Delete the locks of processes that have ended, and return whether there were any.

    A lock that outlives its process means that the process was killed.

    Raises:
        LabError: the holder of a lock is running, or is on another machine and cannot be checked.
    """
    locks = list(folder.rglob("*.json"))
    for lock in locks:
        holder = _holder(lock)
        if holder:
            raise LabError(f"the stack is in use by {holder}: wait for it to end (its lock is {lock})")
        lock.unlink(missing_ok=True)
    return bool(locks)


def end_orphans(pulumi_home: Path) -> None:
    """End the plugins of this Pulumi home whose engine is gone. By themselves they would end only after minutes.

    Raises:
        LabError: a plugin did not end.
    """
    deadline = time.monotonic() + _END_SECONDS
    while orphans := _orphans(pulumi_home):
        if time.monotonic() > deadline:
            raise LabError(
                f"processes of an interrupted Pulumi run did not end: {', '.join(map(str, sorted(orphans)))}"
            )
        for orphan in orphans:
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        time.sleep(0.05)


def _orphans(pulumi_home: Path) -> set[int]:
    """Return the processes of this Pulumi home whose parent is not one of them, except the CLI itself."""
    entry = f"PULUMI_HOME={pulumi_home}".encode()
    ours = {pid for pid in _processes() if entry in _read(pid, "environ").split(b"\0")}
    return {pid for pid in ours if _read(pid, "comm").strip() != b"pulumi" and _parent(pid) not in ours}


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _parent(pid: int) -> int:
    # The program's name comes first, in brackets, and may contain any character.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, file: str) -> bytes:
    """Return a process's file in /proc; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def _holder(lock: Path) -> str:
    """Describe the process that holds a lock; empty if it has ended."""
    try:
        content = json.loads(lock.read_text())
        pid, host = int(content["pid"]), str(content["hostname"])
    except (OSError, ValueError, KeyError):  # deleted, or only partly written
        return ""
    if host != socket.gethostname():
        return f"process {pid} on {host}"
    # Process ids are reused, so another program may have this id now. It does not hold the lock.
    return f"pulumi, process {pid}" if _read(pid, "comm").strip() == b"pulumi" else ""
