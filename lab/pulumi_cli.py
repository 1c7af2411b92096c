"""Build the real Pulumi CLI and its Python language host from their Go modules, once."""

import re
import shutil
import subprocess
from pathlib import Path

from lab import go_build
from lab.progress import step

VERSION = "3.259.0"
_CLI_MODULE = go_build.MODULES / "cli"
_LANGUAGE_MODULE = go_build.MODULES / "language"
_CLI = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_LANGUAGE_HOST = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
_SDK = "github.com/pulumi/pulumi/sdk/v3"


def install() -> Path:
    """Build the CLI unless this version is on PATH or cached, and return its folder.

    A CLI on PATH is used only if its language host is there too. An interrupted build leaves nothing that a later one
    would use.

    Raises:
        LabError: Go is missing or too old, or the build failed.
    """
    found = shutil.which("pulumi")
    if found and shutil.which("pulumi-language-python") and _version_of(found) == VERSION:
        return Path(found).parent
    return go_build.once(f"pulumi-v{VERSION}", _build)


def _build(folder: Path) -> None:
    go_build.require_go(_CLI_MODULE, alternative=f"the Pulumi CLI {VERSION} itself")
    with step(f"building the Pulumi CLI v{VERSION} from source, once, about 4 minutes"):
        flags = f"-ldflags=-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
        go_build.go(_CLI_MODULE, "build", "-trimpath", flags, "-o", f"{folder}/", _CLI)
    with step("building Pulumi's Python language host from source"):
        go_build.go(_LANGUAGE_MODULE, "build", "-trimpath", "-o", f"{folder}/", _LANGUAGE_HOST)
        _copy_program_runner(folder)


def _copy_program_runner(folder: Path) -> None:
    """Copy the script that runs Python programs beside the language host, from the SDK of the CLI's version."""
    source = Path(go_build.go(_CLI_MODULE, "list", "-m", "-f", "{{.Dir}}", _SDK)) / "python" / "cmd"
    runner = folder / "pulumi-language-python-exec"
    shutil.copy(source / runner.name, runner)
    runner.chmod(0o755)


def _version_of(program: str) -> str:
    done = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    match = re.search(r"\d+\.\d+\.\d+", done.stdout)
    return match.group() if match else ""
