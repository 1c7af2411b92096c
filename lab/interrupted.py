"""Clean up after a killed Pulumi run, so that the next one can work.

A killed run leaves its lock, and plugins that continue their last operation. In the state, some operations are pending:
nobody knows how they ended. A pending create may have made an object that is not in the state. Its name is then taken,
so a new create would fail.
"""

import json
import os
import shlex
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.packages import LabError

# The resource types, and what `docker ... rm` calls each. Volumes are left out: creating a volume that exists succeeds,
# and removing one would delete files.
_REMOVABLE = {
    "docker:index/network:Network": "network",
    "docker:index/secret:Secret": "secret",
    "docker:index/service:Service": "service",
    "docker:index/serviceConfig:ServiceConfig": "config",
}
_END_SECONDS = 10


@dataclass(frozen=True)
class Unrecorded:
    """A Docker object that a killed run may have made. `kind` is the word in `docker KIND rm`."""

    kind: str
    name: str
    ssh: tuple[str, ...]
    """Arguments of ssh for its host: options and destination."""

    @property
    def removal(self) -> list[str]:
        """The command that removes the object. It fails if there is none."""
        quick = ("-o", "ConnectTimeout=10", "-o", "BatchMode=yes")
        return ["ssh", *quick, *self.ssh, f"docker {self.kind} rm {shlex.quote(self.name)}"]


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


def has_pending(export: Mapping[str, Any]) -> bool:
    """Return whether an exported state has pending operations."""
    return bool(export["deployment"].get("pending_operations"))


def unrecorded(export: Mapping[str, Any]) -> list[Unrecorded]:
    """Return the objects that pending creates may have made, except those that the state has under the same name."""
    resources = export["deployment"].get("resources") or []
    recorded = {(known["type"], known.get("outputs", {}).get("name")) for known in resources}
    providers = {
        f"{known['urn']}::{known.get('id', '')}": known.get("inputs", {})
        for known in resources
        if known["type"] == "pulumi:providers:docker"
    }
    found = []
    for operation in export["deployment"].get("pending_operations") or []:
        resource = operation["resource"]
        name = resource.get("inputs", {}).get("name")
        provider = providers.get(resource.get("provider", ""))
        if (
            operation["type"] == "creating"
            and resource["type"] in _REMOVABLE
            and isinstance(name, str)
            and (resource["type"], name) not in recorded
            and provider is not None
        ):
            found.append(Unrecorded(_REMOVABLE[resource["type"]], name, _ssh(provider)))
    return found


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


def _ssh(provider: Mapping[str, Any]) -> tuple[str, ...]:
    options = provider.get("sshOpts", [])
    # Pulumi passes nested provider inputs as JSON text.
    listed = json.loads(options) if isinstance(options, str) else options
    return (*listed, str(provider["host"]).removeprefix("ssh://"))


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
