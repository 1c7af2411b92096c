"""`make audit`: it asks about every lock file, and never takes silence for a good verdict."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import audit

ROOT = Path(__file__).parents[3]
GOOD = "No known vulnerabilities found\n"
FOUND = "Found 1 known vulnerability in 1 package\nName Version ID\nidna 3.6 PYSEC-2024-60\n"
NO_NAME = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='database.example', port=443): Max retries exceeded"
)
NO_PROXY = "requests.exceptions.ProxyError: HTTPSConnectionPool(host='index.example', port=443): Max retries exceeded"
NOT_THERE = "ERROR:pip_audit._cli:idna: Dependency not found on PyPI and could not be audited: idna (3.20)"


@pytest.fixture
def commands() -> list[list[str]]:
    return []


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, commands: list[list[str]]) -> Any:
    """A function that makes pip-audit end with a status and an output."""

    def set_up(status: int, stdout: str = "", stderr: str = "", *arguments: str) -> None:
        def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            commands.append(command)
            return subprocess.CompletedProcess(command, status, stdout, stderr)

        monkeypatch.setattr(audit.subprocess, "run", run)
        monkeypatch.setattr(sys, "argv", ["audit", *arguments])

    return set_up


def test_every_lock_file_is_audited_and_a_package_without_an_answer_is_an_error(
    ended: Any, commands: list[list[str]]
) -> None:
    ended(0, GOOD)
    found = [*ROOT.glob("*/*.txt"), *ROOT.glob("examples/*/*.txt")]
    lock_files = {str(path.relative_to(ROOT)) for path in found if "--hash=sha256:" in path.read_text()}

    assert audit.main() == 0
    assert set(audit.LOCK_FILES) == lock_files | {"services/file_transfer/requirements.txt"}
    ((_, *options),) = commands
    assert [option for option in options if option.endswith(".txt")] == list(audit.LOCK_FILES)
    assert "--strict" in options
    assert "--vulnerability-service=pypi" in options


def test_a_vulnerability_is_shown_and_fails(ended: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ended(1, FOUND)

    assert audit.main() == 1
    assert capsys.readouterr().out == FOUND


@pytest.mark.parametrize(
    ("database", "output", "said"),
    [
        (
            "osv",
            f"Traceback (most recent call last):\n{NO_NAME}\n",
            f"OSV could not be reached: {NO_NAME}: ",
        ),
        ("pypi", f"Traceback:\n{NO_PROXY}\n", f"PyPI's JSON API could not be reached: {NO_PROXY}: "),
        ("pypi", f"{NOT_THERE}\n", "PyPI's JSON API does not have a locked package: idna (3.20): "),
    ],
)
@pytest.mark.parametrize("status", [0, 1])
def test_a_database_that_does_not_answer_is_named_and_fails(
    ended: Any, capsys: pytest.CaptureFixture[str], database: str, output: str, said: str, status: int
) -> None:
    ended(status, "", output, database)

    assert audit.main() == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"audit: {said}there is no verdict: ")
    assert len(printed.err.splitlines()) == 1
