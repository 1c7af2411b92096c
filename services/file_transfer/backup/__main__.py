"""Entry point of `python -m backup`: the service, and the commands for operators."""

import argparse
import logging
import signal
import sys
from functools import partial
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from backup import commands, pipe, service, settings
from backup.archive import ArchiveError
from backup.backups import NoBackupError
from backup.commands import HalfRestoredError, IncompleteError, InvalidStateError
from backup.influxdb import InfluxdbError
from backup.repository import RepositoryError
from backup.restore import RestoreError
from backup.settings import Settings
from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.environment import SettingsError
from file_transfer.errors import RefusedError
from file_transfer.index.contents import LeaseLostError
from file_transfer.index.database import UnsuitableSchemaError
from file_transfer.names import NameRefusedError

_EXPECTED = (
    ArchiveError,
    HalfRestoredError,
    IncompleteError,
    InfluxdbError,
    InvalidStateError,
    LeaseLostError,
    NameRefusedError,
    NoBackupError,
    RefusedError,
    RepositoryError,
    RestoreError,
    SQLAlchemyError,
    SettingsError,
    StorageFullError,
    StorageUnavailableError,
    UnsuitableSchemaError,
)


def main(arguments: list[str] | None = None) -> None:
    """Run one command. An expected error is one line and status 1."""
    logging.basicConfig(format="backup: %(message)s", level=logging.WARNING)
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "restore":
        if options.replace and options.file is None:
            parser.error("--replace needs --file NAME")
        if options.keep_existing and options.file is not None:
            parser.error("--keep-existing restores all names that are missing, and --file only one: give one of them")
    # Docker stops the service with SIGTERM, which is no failure. A backup that is stopped is not made.
    signal.signal(signal.SIGTERM, partial(_terminate, 0 if options.command == "serve" else 128 + signal.SIGTERM))
    try:
        _run(options)
    except _EXPECTED as error:
        sys.exit(f"backup: {' '.join(str(error).split())}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(options: argparse.Namespace) -> None:
    if options.command == "write":  # it knows nothing of the repository
        pipe.write(sys.stdin.buffer, sys.stdout.buffer, commands.storage, _EXPECTED)
        return
    configured = settings.load()
    match options.command:
        case "serve":
            service.serve(configured, [sys.executable, "-m", "backup", "now", "--if-due"])
        case "now":
            state = sys.stdin.buffer.read() if options.state else None
            print(commands.back_up(configured, only_if_due=options.if_due, state=state))
        case "list":
            for line in commands.list_all(configured):
                print(line)
        case "state":
            sys.stdout.buffer.write(commands.stored_state(configured, options.at))
        case "restore":
            _restore(configured, options)


def _restore(configured: Settings, options: argparse.Namespace) -> None:
    other, output = None, sys.stdout
    if options.piped:
        other, output = pipe.Writer(sys.stdin.buffer, sys.stdout.buffer), sys.stderr
    if options.file is not None:
        line = commands.restore_file(configured, options.at, options.file, replaces=options.replace, other=other)
        print(line, file=output)
        return
    for line in commands.restore_everything(
        configured,
        options.at,
        keep_existing=options.keep_existing,
        with_metrics=not options.without_metrics,
        other=other,
    ):
        print(line, file=output, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backup", description=__doc__, allow_abbrev=False)
    found = parser.add_subparsers(dest="command", required=True)
    found.add_parser("serve", help="make a backup whenever one is due, until SIGTERM")
    now = found.add_parser("now", help="make a backup now")
    now.add_argument("--state", choices=["-"], help="store Pulumi's state, from standard input, with it")
    now.add_argument("--if-due", action="store_true", help="only if the last one is older than BACKUP_EVERY_SECONDS")
    found.add_parser("list", help="list the complete backups")
    restore = found.add_parser("restore", help="restore the files and the metrics")
    restore.add_argument(
        "--at", metavar="TIME", help="the time of the backup, as `list` prints it; default: the latest"
    )
    restore.add_argument("--file", metavar="NAME", help="restore this file only, and no metrics")
    restore.add_argument("--replace", action="store_true", help="with --file: replace the file if it exists")
    restore.add_argument("--keep-existing", action="store_true", help="restore only the names that are missing")
    restore.add_argument("--without-metrics", action="store_true", help="restore only the files")
    restore.add_argument(
        "--piped",
        action="store_true",
        help="let `write` restore the files, at the other end of standard in- and output",
    )
    found.add_parser("write", help="restore the files that `restore --piped` sends, without knowing the repository")
    state = found.add_parser("state", help="print Pulumi's state that was stored last")
    state.add_argument("--at", metavar="TIME", help="the time at which it was stored")
    return parser


def _terminate(status: int, *_: object) -> NoReturn:
    """End by an exception, so that whatever is running ends restic first: no snapshot of half a stream may appear."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(status)


if __name__ == "__main__":
    main()
