"""Makes a backup now, lists the backups, and restores one. The service `backup` of the cluster does the work.

    python -m operations.backups now
    python -m operations.backups list
    python -m operations.backups restore [--at TIME] [--file NAME [--replace]] [--keep-existing] [--without-metrics]
    python -m operations.backups state [--at TIME]

A backup that is made with this command also has Pulumi's state, with its secrets encrypted.
"""

import argparse
import sys
from collections.abc import Sequence

from components import backup
from components.shell import render
from components.ssh import SshTarget, show
from operations import health
from operations.health import SCRIPTS, Swarm
from operations.stack import ConfiguredHosts, OperationError, configured_hosts, exit_status, pulumi


def host_of(swarm: Swarm) -> str:
    """Return the name of the host that makes the backups.

    Raises:
        OperationError: the cluster makes none, or the service does not run.
    """
    ids = [service["ID"] for service in swarm.services if service["Spec"]["Name"] == backup.SERVICE]
    if not ids:
        raise OperationError("this cluster makes no backups: set `backup`, and run `pulumi up`")
    for task in swarm.tasks:
        if task["ServiceID"] in ids and task["Status"]["State"] == "running":
            return next(node.host for node in swarm.all_nodes() if node.id == task["NodeID"])
    raise OperationError(
        "the service backup does not run: on a manager, `docker service ps --no-trunc backup` says why"
    )


def run_service(configured: ConfiguredHosts, words: Sequence[str], *, stdin: str = "") -> None:
    """Run the service's program with these words beside the running one, and show what it says.

    Raises:
        OperationError: the service does not run, or its program has failed and has said why.
    """
    target = _service_host(configured)
    # The script itself is on standard input, so what the program is to read is in the script.
    script = render("run_backup", folder=SCRIPTS, arguments=words, INPUT=stdin)
    if status := show(target, script):
        raise OperationError(f"{target.name}: `{words[0]}` ended with status {status}")


def _service_host(configured: ConfiguredHosts) -> SshTarget:
    managers = [host.name for host in configured.hosts if host.role == "manager" and host.state == "active"]
    return configured.targets[host_of(health.look_at_any([configured.targets[name] for name in managers]))]


def _parser() -> argparse.ArgumentParser:
    """Return the parser of what the service's program understands too."""
    parser = argparse.ArgumentParser(prog="python -m operations.backups", description=(__doc__ or "").split("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="now|list|restore|state")
    verbs.add_parser("now", help="make a backup now, with Pulumi's state")
    verbs.add_parser("list", help="list the backups")
    restore = verbs.add_parser("restore", help="restore files and metrics into this cluster", allow_abbrev=False)
    state = verbs.add_parser(
        "state", help="print Pulumi's state from a backup that was made with `now`", allow_abbrev=False
    )
    for verb in (restore, state):
        verb.add_argument("--at", metavar="TIME", help="the backup's time as `list` prints it; by default the last one")
    restore.add_argument("--file", metavar="NAME", help="restore this file only")
    for option, description in (
        ("--replace", "with --file: also if there is a file of this name now"),
        ("--keep-existing", "restore only what is missing: files that are there stay as they are"),
        ("--without-metrics", "restore the files only"),
    ):
        restore.add_argument(option, action="store_true", help=description)
    return parser


def main() -> int:
    """Run the command."""
    verb = _parser().parse_args().verb

    def run() -> None:
        words, state = sys.argv[1:], ""
        if verb == "now":
            words, state = [*words, "--state", "-"], pulumi("stack", "export")
        run_service(configured_hosts(), words, stdin=state)

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
