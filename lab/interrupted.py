"""What a Pulumi run that was killed leaves behind, and how the next one gets past it.

It leaves its lock; its plugins, which go on with what they were told; operations of which the state does not say
how they ended; and, of creates among these, perhaps an object on the host that no state knows and whose name is taken.
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

# By type: what `docker ... rm` calls it. A volume is not among them: creating one that is there succeeds, and
# removing it would take files with it.
_REMOVABLE = {
    "docker:index/network:Network": "network",
    "docker:index/secret:Secret": "secret",
    "docker:index/service:Service": "service",
    "docker:index/serviceConfig:ServiceConfig": "config",
}
_END_SECONDS = 10


@dataclass(frozen=True)
class Unrecorded:
    """A Docker object that a killed run may have made: `kind` as in `docker KIND rm`, on the host that ssh reaches."""

    kind: str
    name: str
    ssh: tuple[str, ...]
    """Arguments of ssh: options and destination."""

    @property
    def removal(self) -> list[str]:
        """The command that takes it away; it fails where there is none."""
        quick = ("-o", "ConnectTimeout=10", "-o", "BatchMode=yes")
        return ["ssh", *quick, *self.ssh, f"docker {self.kind} rm {shlex.quote(self.name)}"]


def clear_locks(folder: Path) -> bool:
    """Delete the locks of processes that have ended, and return whether there were any: they had not ended well.

    Raises:
        LabError: the holder of a lock is at work, or is on another machine and cannot be asked.
    """
    locks = list(folder.rglob("*.json"))
    for lock in locks:
        holder = _holder(lock)
        if holder:
            raise LabError(f"the stack is in use by {holder}: wait for it to end (its lock is {lock})")
        lock.unlink(missing_ok=True)
    return bool(locks)


def end_orphans(pulumi_home: Path) -> None:
    """End the plugins of this Pulumi home that have lost their engine: they would notice after minutes only.

    Raises:
        LabError: one does not end.
    """
    deadline = time.monotonic() + _END_SECONDS
    while orphans := _orphans(pulumi_home):
        if time.monotonic() > deadline:
            raise LabError(f"processes of an interrupted Pulumi do not end: {', '.join(map(str, sorted(orphans)))}")
        for orphan in orphans:
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        time.sleep(0.05)


def has_pending(export: Mapping[str, Any]) -> bool:
    """Whether an exported state has operations that were begun and not ended."""
    return bool(export["deployment"].get("pending_operations"))


def unrecorded(export: Mapping[str, Any]) -> list[Unrecorded]:
    """Objects that unfinished creates may have made, except those whose name a recorded one of the type bears."""
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
    """Processes started for this home, by its engine or in turn by those, whose own parent was not."""
    entry = f"PULUMI_HOME={pulumi_home}".encode()
    ours = {pid for pid in _processes() if entry in _read(pid, "environ").split(b"\0")}
    return {pid for pid in ours if _read(pid, "comm").strip() != b"pulumi" and _parent(pid) not in ours}


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _parent(pid: int) -> int:
    # The program's name stands before, in brackets, and may hold anything.
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _read(pid: int, file: str) -> bytes:
    """A file about a process; empty if that has ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def _ssh(provider: Mapping[str, Any]) -> tuple[str, ...]:
    options = provider.get("sshOpts", [])
    # Providers get nested inputs as JSON text.
    listed = json.loads(options) if isinstance(options, str) else options
    return (*listed, str(provider["host"]).removeprefix("ssh://"))


def _holder(lock: Path) -> str:
    """Who holds a lock, for people; empty if that process has ended."""
    try:
        content = json.loads(lock.read_text())
        pid, host = int(content["pid"]), str(content["hostname"])
    except (OSError, ValueError, KeyError):  # gone, or cut off while it was being written
        return ""
    if host != socket.gethostname():
        return f"process {pid} on {host}"
    # Ids are used again: another program with the id does not hold the lock.
    return f"pulumi, process {pid}" if _read(pid, "comm").strip() == b"pulumi" else ""
