"""Entry point of `file-transfer` and of `python -m file_transfer_client`."""

import os
import sys
import time
from collections.abc import Callable, Sequence

from file_transfer_client import commands
from file_transfer_client.arguments import parse


def main(arguments: Sequence[str] | None = None, wait: Callable[[float], None] = time.sleep) -> int:
    """Run one command and return the exit status.

    Raises:
        SystemExit: the command line is invalid (status 2).
    """
    args = parse(arguments)
    try:
        status = commands.run(args, wait)
        sys.stdout.flush()
    except KeyboardInterrupt:
        commands.print_error(args.command, "interrupted: run the same command again to resume")
    except BrokenPipeError:
        # Python flushes standard output once more when it exits, which would fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        return status
    return 1


if __name__ == "__main__":
    sys.exit(main())
