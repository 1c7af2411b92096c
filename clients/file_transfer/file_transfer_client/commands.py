"""The commands. A failure prints one line, and the remaining files are still processed."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from file_transfer_client import listing, names
from file_transfer_client.api import Api, path_of
from file_transfer_client.download import DamagedError, fetch
from file_transfer_client.errors import ClientError, RefusedError
from file_transfer_client.progress import on_terminal
from file_transfer_client.stored import Options, Stored
from file_transfer_client.target import PartFile, StandardOutput
from file_transfer_client.upload import put, put_stream


def run(args: Namespace, wait: Callable[[float], None]) -> int:
    """Run the command and return the exit status."""
    with Api(args.connection, wait) as api:
        if args.command == "put":
            return _for_each(args.files, lambda file: _put(api, args, file))
        if args.command == "get":
            return _for_each(args.names, lambda name: _get(api, args, names.checked(name)))
        if args.command == "rm":
            return _for_each(args.names, lambda name: _remove(api, names.checked(name)))
        return _for_each(["ls"], lambda _: _list(api, args))


def _for_each(items: list[str], process: Callable[[str], None]) -> int:
    failed = False
    for item in items:
        try:
            process(item)
        except BrokenPipeError:  # nobody reads standard output, so nothing more can be done
            raise
        except ClientError as error:
            failed = print_error(item, str(error))
        except OSError as error:
            path = f"{error.filename}: " if error.filename and str(error.filename) != item else ""
            failed = print_error(item, f"{path}{error.strerror or error}")
    return int(failed)


def print_error(subject: str, reason: str) -> bool:
    """Print one line on standard error, and return True."""
    print(f"error: {subject if subject.isprintable() else ascii(subject)}: {reason}", file=sys.stderr)
    return True


def _put(api: Api, args: Namespace, file: str) -> None:
    options = Options(ttl=args.ttl, max_downloads=args.max_downloads, overwrite=not args.no_overwrite)
    name = names.checked(args.name if args.name is not None else Path(file).name)
    with on_terminal(name, quiet=args.quiet) as progress:
        if file == "-":
            stored = put_stream(api, sys.stdin.buffer, name, options, progress)
        else:
            stored = put(api, Path(file), name, options, progress)
    _print_stored(args, stored)


def _get(api: Api, args: Namespace, name: str) -> None:
    with on_terminal(name, quiet=args.quiet) as progress:
        if args.output == "-":
            fetch(api, name, StandardOutput(sys.stdout.buffer), progress)
            sys.stdout.buffer.flush()
            return
        path = Path(args.output) if args.output else Path(args.directory) / name
        with PartFile(path, api.servers, name, force=args.force) as target:
            try:
                stored = fetch(api, name, target, progress)
            except DamagedError:
                target.discard()
                raise
            target.publish()
    _print_stored(args, stored)


def _remove(api: Api, name: str) -> None:
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        try:
            api.request("DELETE", path_of(name)).close()
        except RefusedError as error:
            # On a later try, 404 means that an earlier one removed the file and its response was lost.
            if error.status != 404 or tries == 1:
                raise

    api.retry(attempt)


def _list(api: Api, args: Namespace) -> None:
    listed = listing.files(api, args.prefix)
    for line in listing.as_json(listed) if args.json else listing.table(listed):
        print(line)


def _print_stored(args: Namespace, stored: Stored) -> None:
    if not args.quiet:
        print(stored)
