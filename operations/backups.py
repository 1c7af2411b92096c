"""Makes a backup now, lists the backups, and restores one. The service `backup` of the cluster does the work.

    python -m operations.backups now
    python -m operations.backups list
    python -m operations.backups restore [--at TIME] [--file NAME [--replace]] [--keep-existing] [--without-metrics]
    python -m operations.backups state [--at TIME]

A backup that is made with this command also has Pulumi's state, with its secrets encrypted.
"""

import argparse
import sys
from dataclasses import replace

from components import backup, users
from operations import beside
from operations.beside import Program
from operations.stack import configured_hosts, exit_status, pulumi

PROGRAM = Program(
    service=backup.SERVICE, module="backup", absent="this cluster makes no backups: set `backup`, and run `pulumi up`"
)

RESTORE = replace(PROGRAM, before=("restore_beside",), variables={"OWNER": users.FILE_SERVICE})
"""Restores. The service itself may not write the files of a directory."""


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
        beside.run(configured_hosts(), RESTORE if verb == "restore" else PROGRAM, words, stdin=state)

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
