"""The Makefile: every target is told by `make help`, and does what its name says."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
INTERNAL = {"venv"}


def make(*arguments: str) -> str:
    # `make unit` runs this: a make within a make would tell of the folder that it enters.
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_help_tells_every_target() -> None:
    told = {line.split()[0] for line in make("help").splitlines()}

    assert told == set(TARGETS) - INTERNAL


def test_no_target_is_taken_for_a_file() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(phony.split()) == set(TARGETS)


@pytest.mark.parametrize("target", ["check", "lint", "unit", "service", "coverage"])
def test_the_checks_do_not_go_through_the_lab(target: str) -> None:
    assert make("--dry-run", target).splitlines()[-1] == f".venv/bin/python -m tools {target}"


def test_what_strangers_could_do_is_tested_without_the_lab() -> None:
    assert make("--dry-run", "test-abuse").splitlines()[-1] == ".venv/bin/python -m tools abuse"


def test_the_whole_goes_through_the_lab() -> None:
    assert make("--dry-run", "test").splitlines()[-1] == ".venv/bin/python -m lab test"
