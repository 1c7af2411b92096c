"""The lock files: each part has what it imports, and all parts have the same versions."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
SERVICE = ROOT / "services" / "file_transfer" / "requirements.in"
POLICY = ROOT / "policy" / "requirements.in"
EXAMPLE = ROOT / "examples" / "hcloud" / "requirements.in"
PARTS = [*sorted(FOLDER.glob("*.in")), SERVICE, POLICY, EXAMPLE]
every_part = pytest.mark.parametrize("part", PARTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
OURS = {"components", "monitoring", "settings", "wiring"}
OF_THE_POLICY_PACK = {"googleapis-common-protos", "protobuf", "pulumi-policy"}
"""The packages whose versions are the policy pack's own: its SDK wants an older protobuf."""


def pins(file: Path) -> dict[str, str]:
    """The versions in a requirements file, by the package's name without extras."""
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z]+\])?==(\S+)", file.read_text(), re.MULTILINE | re.IGNORECASE))


def wanted(part: Path) -> dict[str, str]:
    """The versions that a file asks for, with those of the files that it includes."""
    included = re.findall(r"^-r (\S+)$", part.read_text(), re.MULTILINE)
    return {name: version for file in included for name, version in wanted(part.parent / file).items()} | pins(part)


def imported(*folders: str) -> set[str]:
    """The packages that the modules in these folders import, except the standard library's and our own."""
    modules = [ROOT / "__main__.py", *(file for folder in folders for file in (ROOT / folder).glob("**/*.py"))]
    found: set[str] = set()
    for module in modules:
        if module == ROOT / "monitoring" / "report.py":
            continue  # its command says that it needs matplotlib
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names) - OURS


@every_part
def test_a_lock_file_has_what_is_asked_for(part: Path) -> None:
    assert pins(part.with_suffix(".txt")).items() >= wanted(part).items()


@every_part
def test_every_lock_file_has_the_versions_that_the_tests_run_with(part: Path) -> None:
    tested = pins(FOLDER / "test.txt")
    locked = pins(part.with_suffix(".txt")).items()
    other = {name for name, version in locked if tested.get(name) != version}

    assert other == (OF_THE_POLICY_PACK if part == POLICY else set())


def test_the_program_s_requirements_have_all_that_it_imports() -> None:
    distributions = packages_distributions()
    modules = imported("components", "settings", "wiring", "monitoring")
    packages = {package.lower().replace("_", "-") for module in modules for package in distributions[module]}

    assert "pulumi" in packages
    assert packages <= pins(FOLDER / "program.txt").keys()


def test_pulumi_installs_the_program_s_requirements() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()

    assert [line for line in lines if not line.startswith("#")] == ["-r requirements/program.txt"]
