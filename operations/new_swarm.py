"""Prepares a new swarm with the data that is left, after the last manager is lost.

    python -m operations.new_swarm --yes

A swarm without its managers cannot be repaired. So every host that is left leaves it, and Pulumi's state forgets all
resources: the next `pulumi up` creates a swarm and all services anew. It uses the volumes as they are.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components import commands, etcd_member
from components.probe import SCRIPT, parse
from components.shell import render
from components.ssh import SshError, SshTarget, ask
from operations.health import SCRIPTS
from operations.stack import OperationError, configured_hosts, exit_status, pulumi
from settings.models import Host

_LOST_SECONDS = 5
"""How long a lost manager has to answer."""
_LEADERLESS = "does not have a leader"


def prepare(hosts: Sequence[Host], targets: dict[str, SshTarget]) -> list[SshTarget]:
    """Return the hosts that must leave the lost swarm, after checking that it is lost.

    Raises:
        OperationError: a manager is left, the settings do not say which host is the next one, or a host does not
            answer.
    """
    present = [host for host in hosts if host.state == "active"]
    lost = [host for host in hosts if host.state == "gone" and host.role == "manager"]
    if not lost:
        raise OperationError("no manager is gone: give each lost manager `state: gone` in `hosts`")
    if not any(host.role == "manager" for host in present):
        raise OperationError("no host is to be the next manager: give a host that is left `role: manager` in `hosts`")
    for host in lost:
        _check_lost(targets[host.name])
    return [targets[host.name] for host in present if _must_leave(targets[host.name])]


def forget(state: dict[str, Any]) -> dict[str, Any]:
    """Return the exported state without any resource but the stack."""
    resources = [found for found in state["deployment"].get("resources", []) if found["type"] == "pulumi:pulumi:Stack"]
    return {**state, "deployment": {**state["deployment"], "resources": resources, "pending_operations": []}}


def _check_lost(target: SshTarget) -> None:
    try:
        probe = parse(ask(target, SCRIPT, timeout=_LOST_SECONDS))
    except SshError:
        return
    if probe.is_manager:
        raise OperationError(f"{target.name}: answers and is a manager: remove its `state`, then run `pulumi up`")


def _must_leave(target: SshTarget) -> bool:
    """Return whether the host is in the lost swarm. A new machine is in none."""
    try:
        probe = parse(ask(target, SCRIPT))
    except SshError as error:
        if _LEADERLESS in str(error):
            return True  # a manager, but the others that it needs for a majority are gone
        raise OperationError(f"{target.name}: cannot be asked: {error}") from None
    if probe.nodes:
        raise OperationError(
            f"{target.name}: is a manager, and its swarm works: run `pulumi up`, which goes on with it"
        )
    # An earlier run may have been interrupted after the host had left, and before it removed the volume.
    return probe.swarm.get("LocalNodeState") != "inactive" or etcd_member.service_name(target.name) in probe.volumes


def _leave(host: str) -> str:
    """Return the script by which this host leaves the swarm.

    Its etcd volume is removed, because a member with old data would wait for the lost ones forever.
    """
    volume = etcd_member.service_name(host)
    return (
        commands.leave_swarm()
        + f"( {commands.remove_volume(volume=volume)})\n"
        + render("require_no_volume", folder=SCRIPTS, VOLUME=volume)
    )


def _run(*, agreed: bool) -> None:
    configured = configured_hosts()
    leaving = prepare(configured.hosts, configured.targets)
    names = ", ".join(target.name for target in leaving) or "no host"
    if not agreed:
        raise OperationError(f"{names} would leave the lost swarm, and Pulumi's state would be emptied: add --yes")
    backup = Path(f"state-before-new-swarm-{pulumi('stack', '--show-name').strip()}.json")
    state = pulumi("stack", "export")
    exported = json.loads(state)
    # If this ran before, the state has nothing left, and the backup has what was forgotten.
    if forget(exported)["deployment"]["resources"] != exported["deployment"].get("resources", []):
        with os.fdopen(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(state)
    for target in leaving:
        try:
            ask(target, _leave(target.name), timeout=120)
        except SshError as error:
            raise OperationError(f"{target.name} did not leave: {error}: run this command again") from None
    try:
        pulumi("stack", "import", stdin=json.dumps(forget(exported)))
    except OperationError as error:
        raise OperationError(f"{names} left the lost swarm, but {error}: run this command again") from None
    print(f"{names} left the lost swarm. Pulumi's state before is in {backup}. Now run `pulumi up`.")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m operations.new_swarm", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--yes", action="store_true", help="do it; without this, only say what would be done")
    agreed = parser.parse_args().yes
    return exit_status(lambda: _run(agreed=agreed))


if __name__ == "__main__":
    sys.exit(main())
