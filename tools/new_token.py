"""Makes a token for the file service: `python -m tools.new_token NAME`, or `make token NAME=…`."""

import argparse
import json
import re
import secrets
import sys

_BYTES = 32


def snippet(name: str, scopes: list[str]) -> str:
    """Return the setting `tokens` as JSON, with a new token of this name.

    Raises:
        ValueError: the name cannot be the name of a token.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError(f'the name is "{name}": use letters, digits, ".", "_" and "-", such as NAME=ci')
    return json.dumps({name: {"token": secrets.token_urlsafe(_BYTES), "scopes": scopes}})


def main() -> None:
    """Print the setting on stdout, and what to do with it on stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--scopes", nargs="+", choices=("read", "write", "delete"), default=["read", "write"])
    arguments = parser.parse_args()
    try:
        print(snippet(arguments.name, arguments.scopes))
    except ValueError as error:
        sys.exit(f"token: {error}")
    print(
        "Add it to the tokens that `pulumi config get swarm-transfer:tokens` prints, if there are any. This reads "
        "the whole setting from stdin: pulumi config set --secret swarm-transfer:tokens",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
