"""The client is a package of its own: it needs nothing of the server, and takes the same names."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import file_transfer_client
from file_transfer import names
from file_transfer_client import names as client_names
from file_transfer_client.errors import ClientError

PACKAGE = Path(file_transfer_client.__file__).parent


def imported(module: Path) -> set[str]:
    """The top-level packages that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_client_imports_only_requests_and_the_standard_library() -> None:
    modules = list(PACKAGE.glob("**/*.py"))

    others = set().union(*map(imported, modules)) - set(sys.stdlib_module_names)

    assert len(modules) > 10
    assert others == {"requests", "file_transfer_client"}


@pytest.mark.slow
def test_the_installed_client_runs_without_the_server_s_package(tmp_path: Path) -> None:
    # A copy, because the build leaves files beside the sources.
    source = copytree(PACKAGE.parent, tmp_path / "source", ignore=ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", f"--target={tmp_path / 'site'}", str(source)], check=True)

    result = subprocess.run(
        [tmp_path / "site" / "bin" / "file-transfer", "ls", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout.split()[:3]) == (0, ["usage:", "file-transfer", "ls"]), result.stderr


def taken(check: Callable[[str], str], name: str) -> str | None:
    try:
        return check(name)
    except (ClientError, names.NameRefusedError):
        return None


@given(name=st.text(max_size=8) | st.text(st.sampled_from("a./\\é\u0301\n\x85\u2028\ud800"), max_size=4))
@example(name="é" * 127 + "a")
@example(name="é" * 128)
@example(name="e\u0301" * 127)
@example(name="..")
def test_the_client_takes_the_names_that_the_server_takes(name: str) -> None:
    assert taken(client_names.checked, name) == taken(names.checked, name)
