"""Cleans up after a killed `pulumi up` or `pulumi destroy`, so that the next one can go on.

    python -m operations.recover --yes

A killed run leaves its lock, and may leave a local backend with a file that Pulumi cannot read. In the state, some
operations are pending: nobody knows how they ended. A pending create may have made an object that is not in the state.
Its name is then taken, so a new create would fail.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.stack import OBJECTS, OperationError, exit_status, pulumi

_COMMAND = "command:local:Command"
_UNKNOWN = "# recover: nobody knows whether what this did still holds"
_SSH_FAILED = 255
_NO_OBJECT = ("not found", "No such", "no such")
"""What Docker says of an object that does not exist."""

_LOCAL = "file://"


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


def has_pending(export: Mapping[str, Any]) -> bool:
    """Return whether an exported state has pending operations."""
    return bool(export["deployment"].get("pending_operations"))


def unrecorded(export: Mapping[str, Any]) -> list[Unrecorded]:
    """Return the objects that pending creates may have made, except those that the state has under the same name.

    Volumes are left out: creating a volume that exists succeeds, and removing one would delete files.
    """
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
            and resource["type"] in OBJECTS
            and isinstance(name, str)
            and (resource["type"], name) not in recorded
            and provider is not None
        ):
            found.append(Unrecorded(OBJECTS[resource["type"]], name, _ssh(provider)))
    return found


def half_deleted(export: Mapping[str, Any]) -> set[str]:
    """Return the URNs of the commands whose delete is pending: it may have undone what their create did."""
    return {
        operation["resource"]["urn"]
        for operation in export["deployment"].get("pending_operations") or []
        if operation["type"] == "deleting" and operation["resource"]["type"] == _COMMAND
    }


def join_tokens(export: Mapping[str, Any]) -> set[str]:
    """Return the URNs of the commands that read a join token, and of the one that replaces all tokens afterwards.

    Otherwise a host that has left would use the token in the state to join again, and that token is no longer valid.
    """
    return {
        known["urn"]
        for known in export["deployment"].get("resources") or []
        if known["type"] == _COMMAND and known["urn"].endswith(("-token", "-join-tokens"))
    }


def with_unknown_creates(export: Mapping[str, Any], urns: Collection[str]) -> dict[str, Any]:
    """Return the state in which these commands seem to have had another create, so `pulumi up` runs theirs again.

    They stay in the state, so that `pulumi destroy` runs their delete again.
    """

    def changed(resource: Mapping[str, Any]) -> Mapping[str, Any]:
        if resource["urn"] not in urns or "create" not in resource.get("inputs", {}):
            return resource
        sides = {side: {**resource[side], "create": _UNKNOWN} for side in ("inputs", "outputs")}
        return {**resource, **sides}

    deployment = export["deployment"]
    return {**export, "deployment": {**deployment, "resources": [changed(found) for found in deployment["resources"]]}}


def remove_broken_attributes(state: Path) -> list[Path]:
    """Remove the files of a local backend that were being written when Pulumi was killed, and return them.

    Beside each FILE, the library that writes it (gocloud.dev/blob/fileblob) keeps its content type in FILE.attrs. It
    replaces FILE at once, but writes FILE.attrs in place. If that is cut off, no command can read the stack: "failed to
    load checkpoint: EOF". Without FILE.attrs, it can.
    """
    broken = [file for file in (state / ".pulumi").rglob("*.attrs") if not _is_json(file)]
    for file in broken:
        file.unlink()
    return broken


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except ValueError:
        return False
    return True


def _ssh(provider: Mapping[str, Any]) -> tuple[str, ...]:
    options = provider.get("sshOpts", [])
    # Pulumi passes nested provider inputs as JSON text.
    listed = json.loads(options) if isinstance(options, str) else options
    return (*listed, str(provider["host"]).removeprefix("ssh://"))


def _run(*, agreed: bool) -> None:
    if not agreed:
        raise OperationError(
            "the lock of the stack would be removed: make sure that no `pulumi` works on it, then add --yes"
        )
    backend = json.loads(pulumi("whoami", "--json"))["url"]
    if backend.startswith(_LOCAL):
        remove_broken_attributes(Path(backend.removeprefix(_LOCAL)).expanduser())
    pulumi("cancel", "--yes")
    end_pending(json.loads(pulumi("stack", "export")), pulumi)
    print("The state is clean. Now run `pulumi up`, or `pulumi destroy`, again.")


def end_pending(
    export: Mapping[str, Any],
    run_pulumi: Callable[..., object],
    *,
    reaching: Callable[[list[str]], list[str]] = list,
    folder: Path = Path(),
) -> None:
    """Find out how the pending operations of an exported state ended, so that the next run can go on.

    Args:
        export: the exported state.
        run_pulumi: runs the Pulumi CLI on the stack with these arguments, and `stdin` on its standard input.
        reaching: returns a command in a form that can reach the hosts.
        folder: the project's folder, to which the paths in ssh's options are relative.

    Raises:
        OperationError: an object that is in the way cannot be removed.
    """
    for found in unrecorded(export):
        _remove(found, reaching, folder)
    if urns := half_deleted(export) | join_tokens(export):
        # Before the refresh, since both forget what is pending, and the refresh can also be done later.
        run_pulumi("stack", "import", stdin=json.dumps(with_unknown_creates(export, urns)))
    # Also without pending operations: an earlier run may have forgotten them, and failed here.
    run_pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--non-interactive")


def _remove(found: Unrecorded, reaching: Callable[[list[str]], list[str]], folder: Path) -> None:
    """Remove the object, if the create made it."""
    command = reaching(found.removal)
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == _SSH_FAILED:
        raise OperationError(f"{found.ssh[-1]}: {done.stderr.strip()}: make it reachable, then run this command again")
    if done.returncode and not any(words in done.stderr for words in _NO_OBJECT):
        raise OperationError(f"{found.ssh[-1]}: {shlex.join(found.removal[-1:])} failed: {done.stderr.strip()}")
    if done.returncode == 0:
        print(f"removed {found.kind} {found.name}, which the killed run had made")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m operations.recover", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--yes", action="store_true", help="do it: no other `pulumi` works on this stack")
    agreed = parser.parse_args().yes
    return exit_status(lambda: _run(agreed=agreed))


if __name__ == "__main__":
    sys.exit(main())
