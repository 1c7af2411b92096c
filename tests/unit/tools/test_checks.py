"""The stages of `make check` and `make test`: all of them run, and one that fails is seen."""

import os
import re
import subprocess
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.packages import LabError
from tools import abuse, checks
from tools.checks import Stage, run


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} was never made"
        time.sleep(0.02)


def test_all_stages_run_also_after_one_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    ran = []

    def stage(name: str, *, passes: bool) -> Stage:
        return Stage(name, lambda: ran.append(name) is None and passes)

    assert run([stage("a", passes=True), stage("b", passes=False), stage("c", passes=True)]) is False
    assert ran == ["a", "b", "c"]
    assert capsys.readouterr().out.endswith("== verdict: FAILED\n")


def test_the_verdict_is_good_when_all_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([Stage("a", lambda: True)]) is True
    assert capsys.readouterr().out.endswith("== verdict: all passed\n")


def test_a_stage_that_cannot_run_has_failed_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> bool:
        raise LabError("missing: haproxy")

    assert run([Stage("a", broken), Stage("b", lambda: True)]) is False

    printed = capsys.readouterr().out
    assert "== a …\nmissing: haproxy\n" in printed
    assert "== b              passed" in printed


def test_coverage_is_shown_also_after_a_failed_test_and_requires_no_share_of_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands: list[list[str]] = []

    def ended(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, "pytest" in command)

    monkeypatch.setattr(checks.subprocess, "run", ended)

    assert run(checks.coverage_stages()) is False
    assert commands[-1][1:] == ["report"]
    assert tomllib.loads((checks.ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["report"].keys() == {
        "skip_covered",
        "skip_empty",
    }


def test_make_test_has_all_stages_of_make_check_and_the_end_to_end() -> None:
    static = ["format", "lint", "types", "shell scripts", "Dockerfiles", "workflows"]

    assert [stage.name for stage in checks.check_stages()] == [*static, "service", "rules", "unit"]
    assert [stage.name for stage in checks.test_stages(lambda: True)] == [
        "packages", *static, "rules", "unit", "service", "end to end",
    ]  # fmt: skip
    assert [stage.name for stage in checks.lab_stages("faults", lambda: True)] == ["packages", "faults"]


def test_rules_and_unit_tests_take_the_time_that_the_service_s_tests_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def ended_well(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="")

    def begun(command: list[str], **_: Any) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(wait=lambda: 0)

    monkeypatch.setattr(checks.subprocess, "run", ended_well)
    monkeypatch.setattr(checks.subprocess, "Popen", begun)

    assert run(checks.check_stages()) is True
    rules, unit, service = commands[-3:]
    assert (rules[:3], rules[-1]) == (["nice", "-n", "19"], "tests/monitoring")
    assert (unit[:3], unit[-1]) == (["nice", "-n", "19"], "tests/unit")
    assert (Path(service[0]).name, service[-1]) == ("pytest", "tests/service")


def test_other_commands_run_while_a_stage_does_and_print_after_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begun = tmp_path / "begun"

    def first() -> bool:
        _wait_for(begun)
        print("first has ended", flush=True)
        return True

    begins = ["python", "-c", f"import pathlib; pathlib.Path({str(begun)!r}).touch(); print('other')"]
    fails = ["python", "-c", "exit('why')"]

    assert run(checks._beside(Stage("first", first), {"other": begins, "fails": fails})) is False

    printed = capfd.readouterr().out
    assert "first has ended\n\n== other …\nother\n\n== fails …\nwhy\n" in printed
    assert re.findall(r"== (\w+) +(passed|FAILED) ", printed) == [
        ("first", "passed"), ("other", "passed"), ("fails", "FAILED"),
    ]  # fmt: skip


def test_a_workflow_with_a_finding_fails_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = tmp_path / ".github" / "workflows" / "check.yml"
    workflow.parent.mkdir(parents=True)
    text = (checks.ROOT / ".github" / "workflows" / "check.yml").read_text()
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    (stage,) = [stage for stage in checks.lint_stages() if stage.name == "workflows"]

    workflow.write_text(text)
    assert stage.run() is True
    workflow.write_text(re.sub(r"@[0-9a-f]{40}", "@v6", text))
    assert stage.run() is False


@pytest.mark.parametrize(
    ("options", "selection"),
    [
        ({}, ["-m", "not needs_root"]),
        ({"with_slow": False}, ["-m", "not needs_root and not slow"]),
        ({"as_root": True}, []),
    ],
    ids=["service", "check", "test"],
)
def test_what_needs_root_or_is_slow_is_left_out_by_name(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, bool], selection: list[str]
) -> None:
    commands: list[list[str]] = []

    def ended_well(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(checks.subprocess, "run", ended_well)

    assert run(checks.service_stages(**options)) is True
    processes = ["-n", str(os.cpu_count() or 1), "--dist=worksteal"]
    assert [command[1:] for command in commands] == [[*processes, *selection, "tests/service"]]


def test_the_suite_of_abuse_has_the_tests_that_the_page_on_security_names(tmp_path: Path) -> None:
    for path, text in {
        "docs/security.md": "| slow | `test_slow` and `test_edge`, `test_last` |",
        "tests/service/test_a.py": "def test_slow() -> None: ...\ndef test_other() -> None: ...\n",
        "tests/unit/lab/test_b.py": "def test_edge() -> None: ...\n",
        "tests/end_to_end/test_c.py": "def test_last() -> None: ...\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    assert abuse.named_tests(tmp_path) == ["tests/service/test_a.py::test_slow", "tests/unit/lab/test_b.py::test_edge"]


def test_the_suite_of_abuse_is_not_everything() -> None:
    assert 50 < len(abuse.named_tests(checks.ROOT)) < 150


def test_a_stage_that_takes_too_long_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks._passes("python", "-c", "import time; time.sleep(60)", seconds=0.2) is False
    assert "did not end within 0.2 seconds" in capsys.readouterr().out
