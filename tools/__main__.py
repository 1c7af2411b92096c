"""The checks' command line: `python -m tools COMMAND`; the Makefile has a short name for each."""

import argparse
import sys

from lab import packages
from tools import checks

_STAGES = {
    "check": (packages.CHECKS, checks.check_stages),
    "lint": (packages.LINT, checks.lint_stages),
    "unit": (packages.UNIT, checks.unit_stages),
    "service": (packages.SERVICE, checks.service_stages),
    "abuse": (packages.SERVICE, checks.abuse_stages),
    "coverage": (packages.UNIT | packages.SERVICE, checks.coverage_stages),
}


def main() -> int:
    """Run the stages of one command; 0 if all passed."""
    parser = argparse.ArgumentParser(prog="tools", description=__doc__)
    parser.add_argument("command", choices=_STAGES)
    wanted, stages = _STAGES[parser.parse_args().command]
    return 0 if checks.run([checks.packages_stage(wanted), *stages()]) else 1


if __name__ == "__main__":
    sys.exit(main())
