"""The real Pulumi CLI and its Python language host, built once from their Go modules."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.packages import LabError
from lab.paths import cache_dir
from lab.progress import step

VERSION = "3.259.0"
_MODULES = Path(__file__).parent / "go"
_CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_LANGUAGE_HOST = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
_SDK = "github.com/pulumi/pulumi/sdk/v3"
_UNFINISHED = ".unfinished-"


def install() -> Path:
    """Build the CLI unless this version is on PATH or cached, and return the folder with it.

    One on PATH counts only with its language host. An interrupted build leaves nothing that a later one would use.

    Raises:
        LabError: there is no Go to build it with, or too old a one, or the build failed.
    """
    found = shutil.which("pulumi")
    if found and shutil.which("pulumi-language-python") and _version_of(found) == VERSION:
        return Path(found).parent
    folder = cache_dir() / "tools" / f"pulumi-v{VERSION}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.parent):
            if not folder.exists():  # somebody else may have built it meanwhile
                _build(folder)
    return folder


def require_go() -> None:
    """Refuse a machine without Go, or with an older one than the CLI's modules ask for.

    Raises:
        LabError: as said.
    """
    needed = re.search(r"^go (\S+)$", (_MODULES / "cli" / "go.mod").read_text(), re.MULTILINE)
    assert needed, "every go.mod names a Go version"  # noqa: S101 - a broken checkout, not a user's mistake
    remedy = f"install Go {needed[1]} or newer, or the Pulumi CLI {VERSION} itself"
    if not shutil.which("go"):
        raise LabError(f"Go is missing: {remedy}")
    installed = _go(_MODULES / "cli", "env", "GOVERSION").removeprefix("go")
    if _numbers(installed) < _numbers(needed[1]):
        raise LabError(f"Go {installed} is too old: {remedy}")


def _build(folder: Path) -> None:
    require_go()
    for abandoned in folder.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(abandoned)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_UNFINISHED))
    try:
        with step(f"Pulumi CLI v{VERSION} from source, about 4 minutes, once"):
            version = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
            _go(_MODULES / "cli", "build", "-trimpath", f"-ldflags=-s -w {version}", "-o", f"{unfinished}/", _CLI)
        with step("Pulumi's Python language host from source"):
            _go(_MODULES / "language", "build", "-trimpath", "-o", f"{unfinished}/", _LANGUAGE_HOST)
            _copy_program_runner(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for another build to end: two at once would take twice as long, each."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy_program_runner(folder: Path) -> None:
    """Put the script that runs Python programs beside the language host: it is the SDK's, of the CLI's version."""
    cli = _MODULES / "cli"
    source = Path(_go(cli, "list", "-m", "-f", "{{.Dir}}", _SDK)) / "python" / "cmd"
    runner = folder / "pulumi-language-python-exec"
    shutil.copy(source / runner.name, runner)
    runner.chmod(0o755)


def _go(module: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["go", *arguments],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"go {arguments[0]} failed in {module}: see above")
    return done.stdout.strip()


def _version_of(program: str) -> str:
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    match = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return match.group() if match else ""


def _numbers(version: str) -> tuple[int, ...]:
    """Comparable form of «1.25.11»; «1.26rc1» counts as 1.26."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("rc")[0].partition("-")[0]))
