"""What each command does, and how it ends: one line an error, and the others are still done."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from file_transfer import names
from file_transfer.client import listing
from file_transfer.client.api import Api, path_of
from file_transfer.client.download import DamagedError, fetch
from file_transfer.client.errors import ClientError, RefusedError
from file_transfer.client.progress import on_terminal
from file_transfer.client.stored import Options, Stored
from file_transfer.client.target import PartFile, StandardOutput
from file_transfer.client.upload import put, put_stream


def run(given: Namespace, wait: Callable[[float], None]) -> int:
    """Do what was asked; the exit status."""
    with Api(given.connection, wait) as api:
        if given.command == "put":
            return _each(given.files, lambda file: _put(api, given, file))
        if given.command == "get":
            return _each(given.names, lambda name: _get(api, given, names.checked(name)))
        if given.command == "rm":
            return _each(given.names, lambda name: _remove(api, names.checked(name)))
        return _each(["ls"], lambda _: _list(api, given))


def _each(things: list[str], do: Callable[[str], None]) -> int:
    failed = False
    for thing in things:
        try:
            do(thing)
        except BrokenPipeError:  # nobody reads what we print: there is nobody to tell
            raise
        except (ClientError, names.NameRefusedError) as error:
            failed = complain(thing, str(error))
        except OSError as error:
            where = f"{error.filename}: " if error.filename and str(error.filename) != thing else ""
            failed = complain(thing, f"{where}{error.strerror or error}")
    return int(failed)


def complain(thing: str, reason: str) -> bool:
    """One line on standard error; always True."""
    print(f"error: {thing if thing.isprintable() else ascii(thing)}: {reason}", file=sys.stderr)
    return True


def _put(api: Api, given: Namespace, file: str) -> None:
    options = Options(ttl=given.ttl, max_downloads=given.max_downloads, overwrite=not given.no_overwrite)
    name = names.checked(given.name if given.name is not None else Path(file).name)
    with on_terminal(name, quiet=given.quiet) as progress:
        if file == "-":
            stored = put_stream(api, sys.stdin.buffer, name, options, progress)
        else:
            stored = put(api, Path(file), name, options, progress)
    _report(given, stored)


def _get(api: Api, given: Namespace, name: str) -> None:
    with on_terminal(name, quiet=given.quiet) as progress:
        if given.output == "-":
            fetch(api, name, StandardOutput(sys.stdout.buffer), progress)
            sys.stdout.buffer.flush()
            return
        path = Path(given.output) if given.output else Path(given.directory) / name
        with PartFile(path, api.servers, name, force=given.force) as target:
            try:
                stored = fetch(api, name, target, progress)
            except DamagedError:
                target.discard()
                raise
            target.publish()
    _report(given, stored)


def _remove(api: Api, name: str) -> None:
    tries = 0

    def attempt() -> None:
        nonlocal tries
        tries += 1
        try:
            api.ask("DELETE", path_of(name)).close()
        except RefusedError as error:
            if error.status != 404 or tries == 1:  # later on, it was we who removed it, and the answer was lost
                raise

    api.persist(attempt)


def _list(api: Api, given: Namespace) -> None:
    listed = listing.files(api, given.prefix)
    for line in listing.as_json(listed) if given.json else listing.table(listed):
        print(line)


def _report(given: Namespace, stored: Stored) -> None:
    if not given.quiet:
        print(stored)
