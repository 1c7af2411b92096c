"""The workflows on GitHub and the hooks before a commit run what people run, with no rights that they do not need."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def workflow(path: Path) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text())
    # YAML 1.1 reads the key `on` as true.
    return document | {"on": document.pop(True)}


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def test_a_push_is_checked_and_the_night_runs_all() -> None:
    triggers = {path.stem: set(workflow(path)["on"]) for path in WORKFLOWS}

    assert triggers == {"check": {"push", "pull_request"}, "end-to-end": {"schedule", "workflow_dispatch"}}


@pytest.mark.parametrize(
    ("name", "commands"),
    [("check", ["make check"]), ("end-to-end", [".ci/run", "make test-day-two", "make test-faults"])],
)
def test_it_ends_with_the_commands_that_people_run(name: str, commands: list[str]) -> None:
    (job,) = workflow(ROOT / ".github" / "workflows" / f"{name}.yml")["jobs"].values()
    last = job["steps"][-1]["run"]

    found = job["strategy"]["matrix"]["command"] if last == "${{ matrix.command }}" else [last]
    assert found == commands


def test_ci_runs_all() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"


@every_workflow
def test_it_may_only_read(path: Path) -> None:
    document = workflow(path)

    assert document["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in document["jobs"].values())
    checkout = next(step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["persist-credentials"] is False


@every_workflow
def test_it_ends_by_itself_and_one_runs_at_a_time(path: Path) -> None:
    document = workflow(path)

    assert document["concurrency"]["group"].startswith(path.stem)
    assert all(job["timeout-minutes"] <= 90 for job in document["jobs"].values())


@every_workflow
def test_actions_are_pinned_by_hash_and_say_their_version(path: Path) -> None:
    used = [line for line in path.read_text().splitlines() if "uses:" in line]

    assert len(used) == len([step for step in steps(path) if "uses" in step]) > 0
    pinned = r"\s*- uses: actions/[a-z-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+;.*"
    assert [line for line in used if not re.fullmatch(pinned, line)] == []


def test_go_is_the_one_that_the_readme_asks_for() -> None:
    (go,) = [step for step in steps(ROOT / ".github/workflows/end-to-end.yml") if "setup-go" in step.get("uses", "")]

    assert f"Go {go['with']['go-version']}" in (ROOT / "README.md").read_text()


def test_hooks_are_local_and_call_the_tools_of_the_virtual_environment() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    programs = {hook["id"]: shlex.split(hook["entry"])[0] for hook in repository["hooks"]}

    assert repository["repo"] == "local"
    assert all(hook["language"] == "system" for hook in repository["hooks"])
    assert programs == {
        "ruff-format": ".venv/bin/ruff",
        "ruff-check": ".venv/bin/ruff",
        "mypy": ".venv/bin/mypy",
        "shellcheck": ".venv/bin/shellcheck",
    }
