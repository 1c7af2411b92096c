"""The real Pulumi CLI and its Python language host, built once from their Go modules."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.packages import LabError
from lab.paths import cache_dir
from lab.progress import step

VERSION = "3.259.0"
_MODULES = Path(__file__).parent / "go"
_CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_LANGUAGE_HOST = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
_SDK = "github.com/pulumi/pulumi/sdk/v3"


def install() -> Path:
    """Build the CLI unless this version is cached or on PATH, and return the folder with it.

    Raises:
        LabError: there is no Go to build it with.
    """
    found = shutil.which("pulumi")
    if found and _version_of(found) == VERSION:
        return Path(found).parent
    folder = cache_dir() / "tools" / f"pulumi-v{VERSION}"
    if folder.exists():
        return folder
    if not shutil.which("go"):
        raise LabError("Go is missing: install Go 1.25 or newer, or Pulumi CLI " + VERSION)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
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
    return folder


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
