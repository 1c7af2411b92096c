"""Parsing of the command line and the environment."""

import os
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_DEFAULT_SERVER = "http://127.0.0.1:5001"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach the cluster: server addresses without a path, the token if any, a file with CA certificates."""

    servers: tuple[str, ...]
    token: str
    cacert: str | None


def parse(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> Namespace:
    """Parse the command line into `command`, the command's own arguments, `quiet` and `connection`.

    Raises:
        SystemExit: the command line is invalid (status 2), or asks for help (status 0).
    """
    parser = _parser()
    # The defaults are set here, since a subcommand's default would override an option given before the subcommand.
    args = parser.parse_args(arguments, Namespace(server=None, token_file=None, cacert=None, quiet=False))
    if args.command == "put" and args.name is None and "-" in args.files:
        parser.error("standard input has no name: give one with --as")
    if args.command == "put" and args.name is not None and len(args.files) > 1:
        parser.error("--as names one file: give only one file")
    if args.command == "get" and args.output and len(args.names) > 1:
        parser.error("-o is for one file: give only one name, or a directory with -O")
    try:
        args.connection = Connection(
            servers=_servers(args.server or environment.get("FILE_TRANSFER_URL") or _DEFAULT_SERVER),
            token=_token(args.token_file, environment),
            cacert=_readable(args.cacert) if args.cacert else None,
        )
    except ArgumentTypeError as error:
        parser.error(str(error))
    return args


def _parser() -> ArgumentParser:
    common = ArgumentParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument(
        "--server",
        metavar="URL[,URL…]",
        help=f"servers, tried in turn (or FILE_TRANSFER_URL; default {_DEFAULT_SERVER})",
    )
    common.add_argument("--token-file", metavar="FILE", help="file with the token (or FILE_TRANSFER_TOKEN)")
    common.add_argument("--cacert", metavar="FILE", help="CA certificates for https, in PEM (or REQUESTS_CA_BUNDLE)")
    common.add_argument("--quiet", action="store_true", help="print errors only")

    parser = ArgumentParser(
        prog="file-transfer",
        description="Transfers files. Resumes after a broken connection, and when it is run again.",
        epilog="Exit status: 0 success, 1 something failed, 2 invalid command line.",
        parents=[common],
    )
    commands = parser.add_subparsers(dest="command", required=True)

    put = commands.add_parser("put", help="store files", parents=[common])
    put.add_argument("files", nargs="+", metavar="FILE", help='"-" is standard input')
    put.add_argument("--as", dest="name", metavar="NAME", help="the file's name on the server")
    put.add_argument("--ttl", metavar="TIME", help="how long the file is kept: seconds, or 10m, 2h, 7d")
    put.add_argument("--max-downloads", type=_count, metavar="N", help="how often the file can be downloaded")
    put.add_argument("--no-overwrite", action="store_true", help="fail if a file with that name exists")

    get = commands.add_parser("get", help="fetch files", parents=[common])
    get.add_argument("names", nargs="+", metavar="NAME")
    where = get.add_mutually_exclusive_group()
    where.add_argument("-o", dest="output", metavar="PATH", help='write to this file; "-" is standard output')
    where.add_argument("-O", dest="directory", metavar="DIR", default=".", help="write into this directory (default .)")
    get.add_argument("--force", action="store_true", help="overwrite existing files")

    ls = commands.add_parser("ls", help="list files", parents=[common])
    ls.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="list only names that begin with this")
    ls.add_argument("--json", action="store_true", help="print everything the server says, as one JSON list")

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
            raise ArgumentTypeError(f'"{url}" is not a server address: write http://HOST:PORT or https://HOST:PORT')
        servers.append(f"{parts.scheme}://{parts.netloc}")
    return tuple(servers)


def _token(file: str | None, environment: Mapping[str, str]) -> str:
    origin, text = "FILE_TRANSFER_TOKEN", environment.get("FILE_TRANSFER_TOKEN", "")
    if file:
        origin, text = file, Path(_readable(file)).read_text(encoding="utf-8", errors="replace")
    token = text.strip()
    if (file and not token) or not (token.isascii() and token.isprintable()) or " " in token:
        raise ArgumentTypeError(f"{origin} is not a valid token: put only the token into it, on one line")
    return token


def _readable(file: str) -> str:
    if not (Path(file).is_file() and os.access(file, os.R_OK)):
        raise ArgumentTypeError(f'"{file}" cannot be read: name a readable file')
    return file


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f'"{text}" is not a count: give a whole number, 1 or more')
    return int(text)
