"""Reads every copy of every file, compares digests, and repairs damaged copies from right ones.

    python -m operations.scrub [--rate MIB]

A replica of the file service does the work, at 50 MiB a second unless told otherwise. It prints a line for each file
that was damaged. The exit status is 1 if a file has no right copy left, or if a host does not answer.
"""

import argparse
import sys

from operations import beside
from operations.beside import Program
from operations.stack import configured_hosts, exit_status

PROGRAM = Program(
    service="files", module="file_transfer.scrub", absent="this cluster has no file service: run `pulumi up`"
)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m operations.scrub", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rate", type=float, metavar="MIB", help="MiB a second to read at most, of all copies")
    parser.parse_args()
    return exit_status(lambda: beside.run(configured_hosts(), PROGRAM, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
