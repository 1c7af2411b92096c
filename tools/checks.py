"""The stages of `make check`, `make test` and their parts: what runs, in which order, and the verdict at the end."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from lab import packages
from lab.packages import LabError
from tools import abuse

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Stage:
    """A named step; `run` returns whether it passed, or raises LabError to say why not."""

    name: str
    run: Callable[[], bool]


def packages_stage(wanted: Collection[str]) -> Stage:
    """Install these Debian packages, or name those that are missing."""
    return Stage("packages", lambda: packages.install(wanted))


def lint_stages() -> list[Stage]:
    """Formatting, lint, types, shell scripts, Dockerfiles, GitHub's workflows, Prometheus's rules."""
    return [*_static_stages(), Stage("rules", lambda: _passes(*_rules()))]


def _static_stages() -> list[Stage]:
    return [
        Stage("format", lambda: _passes("ruff", "format", "--check", "--diff", ".")),
        Stage("lint", lambda: _passes("ruff", "check", ".")),
        Stage("types", lambda: _passes("mypy")),
        Stage("shell scripts", lambda: _passes("shellcheck", *_tracked(_is_shell_script))),
        Stage("Dockerfiles", lambda: _passes("hadolint", *_tracked(lambda path: path.name == "Dockerfile"))),
        Stage("workflows", lambda: _passes("zizmor", "--offline", "--strict-collection", ".github/workflows")),
    ]


def unit_stages() -> list[Stage]:
    """The unit tests."""
    return [Stage("unit", lambda: _passes(*_unit()))]


def service_stages(*, as_root: bool = False, with_slow: bool = True) -> list[Stage]:
    """The service's tests; without those that only root can run unless `as_root`, and maybe without the slow ones."""
    left_out = [*(() if as_root else ("not needs_root",)), *(() if with_slow else ("not slow",))]
    options = [*_workers(), *(("-m", " and ".join(left_out)) if left_out else ())]
    return [Stage("service", lambda: _passes("pytest", *options, "tests/service"))]


def abuse_stages() -> list[Stage]:
    """The tests that the page on security names."""
    return [Stage("abuse", lambda: _passes("pytest", *abuse.named_tests(ROOT), seconds=abuse.LIMIT_SECONDS))]


def coverage_stages() -> list[Stage]:
    """The unit and the service's tests, and then a table of the lines that they run. No share of lines is required."""
    run = ("coverage", "run", "-m", "pytest", "-m", "not needs_root")
    return [
        Stage("unit", lambda: _passes("coverage", "erase") and _passes(*run, "tests/unit")),
        Stage("service", lambda: _passes(*run, "tests/service")),
        Stage("coverage", lambda: _passes("coverage", "combine", "--quiet") and _passes("coverage", "report")),
    ]


def check_stages() -> list[Stage]:
    """All that runs without root and without hosts, in minutes.

    The service's tests wait for servers half of their time, in which the rules and the unit tests run. `make test` runs
    one after the other, since tests that end servers and measure time are among the slow ones.
    """
    (service,) = service_stages(with_slow=False)
    return [*_static_stages(), *_beside(service, {"rules": _rules(), "unit": _unit()})]


def test_stages(lab_tests: Callable[[], bool]) -> list[Stage]:
    """All of it, as root; `lab_tests` brings the lab up and runs the end-to-end tests."""
    return [
        packages_stage(packages.LAB | packages.CHECKS | packages.ROOT),
        *lint_stages(),
        *unit_stages(),
        *service_stages(as_root=True),
        Stage("end to end", lab_tests),
    ]


def lab_stages(name: str, lab_tests: Callable[[], bool], wanted: Collection[str] = packages.LAB) -> list[Stage]:
    """Long end-to-end tests alone; `lab_tests` brings the lab up and runs them. It needs the `wanted` packages."""
    return [packages_stage(wanted), Stage(name, lab_tests)]


def run(stages: Sequence[Stage]) -> bool:
    """Run every stage, also after one has failed, and print the verdict; True if all passed."""
    results = []
    for stage in stages:
        print(f"\n== {stage.name} …", flush=True)
        started = time.monotonic()
        passed = _run(stage)
        results.append((stage.name, passed, time.monotonic() - started))
    print()
    for name, passed, seconds in results:
        print(f"== {name:<14} {'passed' if passed else 'FAILED'}  {seconds:6.0f} s")
    passed = all(result[1] for result in results)
    print(f"== verdict: {'all passed' if passed else 'FAILED'}", flush=True)
    return passed


def _run(stage: Stage) -> bool:
    try:
        return stage.run()
    except LabError as error:
        print(error, flush=True)
        return False


def _beside(stage: Stage, others: Mapping[str, Sequence[str]]) -> list[Stage]:
    """Return the stage, and a stage for each of the other commands, which run beside it at the lowest priority.

    So they take only the processor time that the stage leaves. What they print is shown when it is their turn.
    """
    begun: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def run_with_the_others() -> bool:
        begun.update({name: _begin(*command) for name, command in others.items()})
        return stage.run()

    def has_passed(name: str) -> bool:
        process, output = begun[name]
        with output:
            passed = process.wait() == 0
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
        return passed

    return [Stage(stage.name, run_with_the_others), *(Stage(name, partial(has_passed, name)) for name in others)]


def _rules() -> list[str]:
    return ["pytest", "tests/monitoring"]


def _unit() -> list[str]:
    return ["pytest", *_workers(), "tests/unit"]


def _workers() -> list[str]:
    """Return the options with which pytest runs tests in as many processes as there are processors.

    With more processes, tests with a short time limit fail. Each process begins with neighbouring tests, so that few
    processes start the servers that one file shares. A process that has no tests left takes some of another's.
    """
    return ["-n", str(os.cpu_count() or 1), "--dist=worksteal"]


def _passes(tool: str, *arguments: str, seconds: float | None = None) -> bool:
    """Whether a tool of the virtual environment ends with status 0, within a number of seconds if there is one."""
    command = [_path(tool), *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, env=_environment(), check=False, timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{tool} did not end within {seconds} seconds", flush=True)
        return False


def _begin(tool: str, *arguments: str) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Begin a tool of the virtual environment at the lowest priority. The file gets all that it prints."""
    output = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when its content has been shown
    command = ["nice", "-n", "19", _path(tool), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=_environment(), stdout=output, stderr=subprocess.STDOUT), output


def _path(tool: str) -> str:
    return str(Path(sys.prefix) / "bin" / tool)


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    # In containers it is often set. Then each of many processes would compile all that it imports, again in each run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _tracked(wanted: Callable[[Path], bool]) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in listed.split("\0") if name and wanted(ROOT / name))


def _is_shell_script(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    first = path.read_bytes()[:64].split(b"\n")[0]
    return path.suffix == ".sh" or (first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"bash")))
