"""`python -m file_transfer.client`: see `--help`."""

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence

from file_transfer.client import arguments


def main(arguments_given: Sequence[str] | None = None, wait: Callable[[float], None] = time.sleep) -> int:
    """Run one command; the exit status.

    Raises:
        SystemExit: the command line cannot be understood (status 2).
    """
    if importlib.util.find_spec("requests") is None:
        print("error: requests is missing: python3 -m pip install requests", file=sys.stderr)
        return 1
    # Not before it is known that what it imports is there.
    from file_transfer.client import commands  # noqa: PLC0415

    given = arguments.parse(arguments_given)
    try:
        status = commands.run(given, wait)
        sys.stdout.flush()
    except KeyboardInterrupt:
        commands.complain(given.command, "interrupted: give the same command again")
    except BrokenPipeError:
        # Python flushes standard output once more at its end, which would fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return status
    return 1


if __name__ == "__main__":
    sys.exit(main())
