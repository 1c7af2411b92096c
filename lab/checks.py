"""The stages of `make test` and `make lint`: what runs, in which order, and the verdict at the end."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Stage:
    """A named step; `run` returns whether it passed."""

    name: str
    run: Callable[[], bool]


def lint_stages(packages: Callable[[], bool]) -> list[Stage]:
    """Formatting, lint, types, shell scripts, Dockerfiles, Prometheus's rules; `packages` installs what checks use."""
    return [
        Stage("packages", packages),
        Stage("format", lambda: _passes("ruff", "format", "--check", "--diff", ".")),
        Stage("lint", lambda: _passes("ruff", "check", ".")),
        Stage("types", lambda: _passes("mypy")),
        Stage("shell scripts", lambda: _passes("shellcheck", *_tracked(_is_shell_script))),
        Stage("Dockerfiles", lambda: _passes("hadolint", *_tracked(lambda path: path.name == "Dockerfile"))),
        Stage("monitoring", lambda: _passes("pytest", "tests/monitoring")),
    ]


def test_stages(packages: Callable[[], bool], lab_tests: Callable[[], bool]) -> list[Stage]:
    """All of it; `packages` installs what tests use, `lab_tests` brings the lab up and runs the end-to-end tests."""
    return [
        *lint_stages(packages),
        Stage("unit", lambda: _passes("pytest", "tests/unit")),
        Stage("service", lambda: _passes("pytest", "tests/service")),
        Stage("end to end", lab_tests),
    ]


def run(stages: Sequence[Stage]) -> bool:
    """Run every stage, also after one has failed, and print the verdict; True if all passed."""
    results = []
    for stage in stages:
        print(f"\n== {stage.name} …", flush=True)
        started = time.monotonic()
        passed = stage.run()
        results.append((stage.name, passed, time.monotonic() - started))
    print()
    for name, passed, seconds in results:
        print(f"== {name:<14} {'passed' if passed else 'FAILED'}  {seconds:6.0f} s")
    passed = all(result[1] for result in results)
    print(f"== verdict: {'all passed' if passed else 'FAILED'}", flush=True)
    return passed


def _passes(tool: str, *arguments: str) -> bool:
    """Whether a tool of the virtual environment ends with status 0."""
    return subprocess.run([str(Path(sys.prefix) / "bin" / tool), *arguments], cwd=ROOT, check=False).returncode == 0


def _tracked(wanted: Callable[[Path], bool]) -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in listed.split("\0") if name and wanted(ROOT / name))


def _is_shell_script(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    first = path.read_bytes()[:64].split(b"\n")[0]
    return path.suffix == ".sh" or (first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"bash")))
