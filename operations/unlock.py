"""Unlocks the managers whose Docker Engine has started again, if the setting `autolock` is on.

    python -m operations.unlock

A locked manager takes no part in the swarm: its tasks do not run, and others take over what they can. The key is in
Pulumi's state, encrypted. It is sent over ssh, and appears in no argument list.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from components.shell import render
from components.ssh import SshError, SshTarget, ask
from operations.health import LOGINS, SCRIPTS
from operations.stack import ConfiguredHosts, OperationError, configured_hosts, exit_status, pulumi

OUTPUT = "unlock_key"
"""The stack's output with the key."""


def key() -> str:
    """Return the key of the stack's swarm, or nothing if its managers are not locked."""
    return str(json.loads(pulumi("stack", "output", "--json", "--show-secrets")).get(OUTPUT, ""))


def script(unlock_key: str) -> str:
    """Return the script that unlocks the manager on which it runs. It does nothing if that is not locked."""
    return render("unlock_manager", folder=SCRIPTS, KEY=unlock_key)


def unlock(targets: Sequence[SshTarget], unlock_key: str) -> list[str]:
    """Unlock these hosts' managers, and return the names of those that were locked.

    Raises:
        OperationError: a host does not answer or refuses the key. The others are unlocked all the same.
    """

    def attempt(target: SshTarget) -> str:
        try:
            return ask(target, script(unlock_key)).strip()
        except SshError as error:
            return f"{target.name}: {error}"

    with ThreadPoolExecutor(LOGINS) as pool:
        answers = dict(zip((target.name for target in targets), pool.map(attempt, targets), strict=True))
    if failures := [answer for answer in answers.values() if answer not in ("", "unlocked")]:
        raise OperationError("\n".join(failures))
    return [name for name, answer in answers.items() if answer]


def _run(configured: ConfiguredHosts) -> None:
    unlock_key = key()
    if not unlock_key:
        raise OperationError(
            "the stack has no key, since `autolock` was off at the last `pulumi up`: "
            "run `docker swarm unlock` on a manager that was locked by hand"
        )
    active = [host.name for host in configured.hosts if host.state == "active"]
    unlocked = unlock([configured.targets[name] for name in active], unlock_key)
    print(f"unlocked: {', '.join(unlocked)}" if unlocked else "no manager was locked")


def main() -> int:
    """Run the command."""
    argparse.ArgumentParser(prog="python -m operations.unlock", description=(__doc__ or "").split("\n")[0]).parse_args()
    return exit_status(lambda: _run(configured_hosts()))


if __name__ == "__main__":
    sys.exit(main())
