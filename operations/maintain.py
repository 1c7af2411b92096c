"""Takes hosts out of service one after the other, upgrades and reboots them, and puts them back.

    python -m operations.maintain NAME...

Each host's tasks move to other hosts if their constraints allow it, and its packages are upgraded. The next host is
touched only when every task runs again, the index has its standby, and every file has its copies. If a run is
interrupted, run it again: it goes on with the host that is drained.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.shell import render
from components.ssh import SshError, SshTarget, ask
from operations import health, unlock
from operations.health import SCRIPTS, Node
from operations.stack import ConfiguredHosts, OperationError, configured_hosts, exit_status

UPGRADE = (
    "sudo apt-get -q -o DPkg::Lock::Timeout=600 update && "
    "sudo DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold "
    "upgrade --with-new-pkgs"
)
REBOOT = "sudo nohup sh -c 'sleep 3; reboot' >/dev/null 2>&1 &"
"""The pause lets the ssh session end before the host does."""

_POLL_SECONDS = 2.0
_BEFORE_SECONDS = 60
_DRAIN_SECONDS = 600
"""How long tasks may take to stop, unless a service allows them more."""

_UPGRADE_SECONDS = 3600
_BOOT_SECONDS = 900
_AFTER_SECONDS = 900


@dataclass(frozen=True)
class Maintenance:
    """The maintenance of one host. `manager` runs the swarm's commands: another host if there is another manager.

    `unlock_key` unlocks the host's manager after a reboot, if managers are locked.
    """

    target: SshTarget
    manager: SshTarget
    others: Sequence[SshTarget]
    unlock_key: str = ""

    def run(self, script: str, *, reboot: bool) -> None:
        """Drain the host, run the script on it, reboot it if wanted, and return when the cluster is healthy again.

        Raises:
            OperationError: the cluster is not healthy before, a step failed, or the host or the cluster did not come
                back in time.
            SshError: a host does not answer, and nothing was changed.
        """
        swarm = health.look_at(self.manager)
        node = self._begin(swarm.all_nodes())
        self._say("draining")
        stop_seconds = max(_DRAIN_SECONDS, swarm.stop_seconds() + 60)
        drain = render("drain_node", folder=SCRIPTS, NODE=node.id, LIMIT=stop_seconds)
        # A round of the script takes more than its second.
        self._do(self.manager, render("change_node") + drain, 2 * stop_seconds)
        self._say("running the script")
        print(
            self._do(self.target, f"sh -euc {shlex.quote(script)} </dev/null\n", _UPGRADE_SECONDS), end="", flush=True
        )
        if reboot:
            self._reboot()
        self._say("coming back into service")
        activate = render("change_node") + render("activate_node", folder=SCRIPTS, NODE=node.id)
        _wait(lambda: ask(self.manager, activate), _BOOT_SECONDS, self._still_drained)
        _wait(self._problems, _AFTER_SECONDS, f"{self.target.name} is back, but the cluster is not healthy")
        self._say("done")

    def _begin(self, nodes: Sequence[Node]) -> Node:
        """Return the host's node. If it is not drained, wait until the cluster is healthy."""
        node = next((node for node in nodes if node.host == self.target.name), None)
        if not node:
            raise OperationError(f"{self.target.name} is not in the swarm: run `pulumi up` first")
        if node.is_active:
            drained = [other.host for other in nodes if not other.is_active]
            if drained:
                raise OperationError(f"{', '.join(drained)} is drained: finish its maintenance first")
            _wait(self._problems, _BEFORE_SECONDS, "the cluster is not healthy, so nothing was changed")
        return node

    def _reboot(self) -> None:
        self._say("rebooting")
        boot = render("print_boot", folder=SCRIPTS)
        before = self._do(self.target, boot)
        self._do(self.target, REBOOT)

        def problem() -> str:
            return "" if ask(self.target, boot) != before else "it still runs"

        _wait(problem, _BOOT_SECONDS, f"{self._still_drained}: it did not come back")
        if self.unlock_key:
            _wait(self._unlock, _BOOT_SECONDS, f"{self._still_drained}: it was not unlocked")

    def _unlock(self) -> str:
        ask(self.target, unlock.script(self.unlock_key))
        return ""

    def _do(self, host: SshTarget, script: str, seconds: int = 60) -> str:
        """Run a script after the host has begun to drain."""
        try:
            return ask(host, script, timeout=seconds)
        except SshError as error:
            raise OperationError(f"{self._still_drained}: {host.name}: {error}") from None

    def _problems(self) -> str:
        return "; ".join(health.problems(self.manager, [self.target, *self.others]))

    @property
    def _still_drained(self) -> str:
        return f"{self.target.name} is still drained; repair what is wrong, and run this command again"

    def _say(self, step: str) -> None:
        print(f"== {self.target.name} {step}", flush=True)


def _wait(problem: Callable[[], str], seconds: float, failure: str) -> None:
    """Wait until there is no problem. A host that does not answer is one.

    Raises:
        OperationError: there still is one after this many seconds. Its text is `failure` and the last problem.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            reason = problem()
        except SshError as error:
            reason = str(error)
        if not reason:
            return
        if time.monotonic() > deadline:
            raise OperationError(f"{failure}: {reason}")
        time.sleep(_POLL_SECONDS)


def plan(configured: ConfiguredHosts, names: Sequence[str], unlock_key: str = "") -> list[Maintenance]:
    """Return the maintenance of each host, in this order.

    Raises:
        OperationError: a name is not that of a host.
    """
    present = [host for host in configured.hosts if host.state == "active"]
    unknown = sorted(set(names) - {host.name for host in present})
    if unknown:
        raise OperationError(
            f"unknown or gone: {', '.join(unknown)}; the hosts are {', '.join(host.name for host in present)}"
        )
    managers = [host.name for host in present if host.role == "manager"]
    return [
        Maintenance(
            target=configured.targets[name],
            manager=configured.targets[next((manager for manager in managers if manager != name), name)],
            others=[configured.targets[host.name] for host in present if host.name != name],
            unlock_key=unlock_key,
        )
        for name in names
    ]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m operations.maintain", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("hosts", nargs="+", metavar="NAME", help="a host's name in the settings")
    parser.add_argument(
        "--script",
        default=UPGRADE,
        help="a shell script to run on each host as the ssh user (default: upgrade)",
    )
    parser.add_argument("--no-reboot", action="store_true", help="do not reboot")
    arguments = parser.parse_args()

    def run() -> None:
        configured = configured_hosts()
        # Pulumi asks for the passphrase of the stack's secrets to show the key, so it is not asked without need.
        unlock_key = unlock.key() if configured.autolock else ""
        for maintenance in plan(configured, arguments.hosts, unlock_key):
            maintenance.run(arguments.script, reboot=not arguments.no_reboot)

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
