"""The command line, and the environment behind it."""

import os
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_DEFAULT_SERVER = "http://127.0.0.1:5001"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach the cluster: addresses without a path, a token or "", a file with a CA's certificates or None."""

    servers: tuple[str, ...]
    token: str
    cacert: str | None


def parse(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> Namespace:
    """What is asked for: `command`, its own arguments, `quiet`, and `connection`.

    Raises:
        SystemExit: it cannot be understood (status 2), or it asks for help (0).
    """
    parser = _parser()
    # Set here, since a subcommand's default would win over what was given before the subcommand.
    given = parser.parse_args(arguments, Namespace(server=None, token_file=None, cacert=None, quiet=False))
    if given.command == "put" and given.name is None and "-" in given.files:
        parser.error("standard input has no name: give one by --as")
    if given.command == "put" and given.name is not None and len(given.files) > 1:
        parser.error("--as names one file: give one")
    if given.command == "get" and given.output and len(given.names) > 1:
        parser.error("-o takes one file: give one name, or a directory by -O")
    try:
        given.connection = Connection(
            servers=_servers(given.server or environment.get("FILE_TRANSFER_URL") or _DEFAULT_SERVER),
            token=_token(given.token_file, environment),
            cacert=_readable(given.cacert) if given.cacert else None,
        )
    except ArgumentTypeError as error:
        parser.error(str(error))
    return given


def _parser() -> ArgumentParser:
    common = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument(
        "--server", metavar="URL[,URL…]", help=f"or FILE_TRANSFER_URL; several are tried in turn ({_DEFAULT_SERVER})"
    )
    common.add_argument("--token-file", metavar="FILE", help="what FILE_TRANSFER_TOKEN would hold")
    common.add_argument("--cacert", metavar="FILE", help="whom to trust for https, in PEM (or REQUESTS_CA_BUNDLE)")
    common.add_argument("--quiet", action="store_true", help="errors only")

    parser = ArgumentParser(
        prog="python -m file_transfer.client",
        description="Transfers files; goes on by itself after a broken connection, and when it is run again.",
        epilog="Status: 0 all is done, 1 something failed, 2 the command cannot be understood.",
        parents=[common],
    )
    commands = parser.add_subparsers(dest="command", required=True)

    put = commands.add_parser("put", help="store files", parents=[common])
    put.add_argument("files", nargs="+", metavar="FILE", help="«-» is standard input")
    put.add_argument("--as", dest="name", metavar="NAME", help="the file's name there")
    put.add_argument("--ttl", metavar="TIME", help="how long it is kept: seconds, or 10m, 2h, 7d")
    put.add_argument("--max-downloads", type=_count, metavar="N", help="how often it can be fetched")
    put.add_argument("--no-overwrite", action="store_true", help="refuse if there is a file of that name")

    get = commands.add_parser("get", help="fetch files", parents=[common])
    get.add_argument("names", nargs="+", metavar="NAME")
    where = get.add_mutually_exclusive_group()
    where.add_argument("-o", dest="output", metavar="PATH", help="write to this file; «-» is standard output")
    where.add_argument("-O", dest="directory", metavar="DIR", default=".", help="write into this directory (.)")
    get.add_argument("--force", action="store_true", help="overwrite files that are there")

    ls = commands.add_parser("ls", help="list files", parents=[common])
    ls.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="only names that begin like this")
    ls.add_argument("--json", action="store_true", help="all that is known, as one JSON list")

    rm = commands.add_parser("rm", help="remove files", parents=[common])
    rm.add_argument("names", nargs="+", metavar="NAME")
    return parser


def _servers(text: str) -> tuple[str, ...]:
    servers = []
    for url in text.split(","):
        try:
            parts = urlsplit(url.strip())
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
            raise ArgumentTypeError(f"«{url}» is no server: give it as http://HOST:PORT or https://HOST:PORT")
        servers.append(f"{parts.scheme}://{parts.netloc}")
    return tuple(servers)


def _token(file: str | None, environment: Mapping[str, str]) -> str:
    where, text = "FILE_TRANSFER_TOKEN", environment.get("FILE_TRANSFER_TOKEN", "")
    if file:
        where, text = file, Path(_readable(file)).read_text(encoding="utf-8", errors="replace")
    token = text.strip()
    if (file and not token) or not (token.isascii() and token.isprintable()) or " " in token:
        raise ArgumentTypeError(f"{where} holds no token: put the token alone into it, on one line")
    return token


def _readable(file: str) -> str:
    if not (Path(file).is_file() and os.access(file, os.R_OK)):
        raise ArgumentTypeError(f"«{file}» cannot be read: give a file that is there")
    return file


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"«{text}» is no count: give 1 or more")
    return int(text)
