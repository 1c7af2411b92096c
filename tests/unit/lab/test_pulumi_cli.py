"""The Pulumi CLI is found on PATH, or built once. An interrupted build leaves no CLI."""

from pathlib import Path

import pytest

from lab import pulumi_cli
from lab.packages import LabError

BUILT = "pulumi-v" + pulumi_cli.VERSION
GO = """#!/bin/sh
printf '%s\\n' "$*" >> "$FAKE/arguments"
case "$1" in
  env) echo "go$FAKE_GO_VERSION" ;;
  list) echo "$FAKE/sdk" ;;
  build)
    while [ "$1" != -o ]; do shift; done
    printf x > "$2/${3##*/}"
    if [ "${3##*/}" = "$FAKE_FAILS_AT" ]; then exit 1; fi ;;
esac
"""


@pytest.fixture
def bin_dir(tmp_path, monkeypatch):
    """A folder that is the whole PATH, so that the test decides what is on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def tools(tmp_path):
    return tmp_path / "cache" / "swarm-transfer" / "tools"


@pytest.fixture
def go(bin_dir, monkeypatch):
    runner = bin_dir / "sdk" / "python" / "cmd" / "pulumi-language-python-exec"
    runner.parent.mkdir(parents=True)
    runner.write_text("#!/usr/bin/env python3\n")
    _program(bin_dir / "go", GO)
    monkeypatch.setenv("FAKE", str(bin_dir))
    monkeypatch.setenv("FAKE_GO_VERSION", "1.99.0")
    monkeypatch.setenv("FAKE_FAILS_AT", "nothing")
    return bin_dir


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _builds(go):
    recorded = go / "arguments"
    return [line for line in recorded.read_text().splitlines() if line.startswith("build")] if recorded.exists() else []


def test_it_is_built_with_its_version_its_language_host_and_the_script_that_runs_python(go, tools):
    folder = pulumi_cli.install()

    assert folder == tools / BUILT
    assert {path.name for path in folder.iterdir()} == {
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python-exec",
    }
    assert (folder / "pulumi-language-python-exec").stat().st_mode & 0o111
    assert f"common/version.Version=v{pulumi_cli.VERSION}" in _builds(go)[0]


def test_it_is_built_once(go):
    assert pulumi_cli.install() == pulumi_cli.install()

    assert len(_builds(go)) == 2  # the CLI and its language host


@pytest.mark.usefixtures("go")
@pytest.mark.parametrize("program", ["pulumi", "pulumi-language-python"])
def test_a_failed_build_leaves_nothing_and_the_next_one_starts_again(tools, monkeypatch, program):
    monkeypatch.setenv("FAKE_FAILS_AT", program)
    with pytest.raises(LabError, match="go build failed"):
        pulumi_cli.install()
    left = [path.name for path in tools.iterdir() if path.is_dir()]
    monkeypatch.setenv("FAKE_FAILS_AT", "nothing")

    assert left == []
    assert (pulumi_cli.install() / "pulumi-language-python-exec").exists()


@pytest.mark.usefixtures("go")
def test_the_remains_of_a_killed_build_are_removed(tools):
    abandoned = tools / ".unfinished-x"
    abandoned.mkdir(parents=True)

    pulumi_cli.install()

    assert not abandoned.exists()


def test_the_right_version_on_path_wins(bin_dir):
    _program(bin_dir / "pulumi", f"#!/bin/sh\necho v{pulumi_cli.VERSION}\n")
    _program(bin_dir / "pulumi-language-python", "#!/bin/sh\n")

    assert pulumi_cli.install() == bin_dir


def test_another_version_on_path_does_not_count(go, tools):
    _program(go / "pulumi", "#!/bin/sh\necho v3.1.0\n")
    _program(go / "pulumi-language-python", "#!/bin/sh\n")

    assert pulumi_cli.install() == tools / BUILT


def test_a_cli_on_path_without_its_language_host_does_not_count(go, tools):
    _program(go / "pulumi", f"#!/bin/sh\necho v{pulumi_cli.VERSION}\n")

    assert pulumi_cli.install() == tools / BUILT


@pytest.mark.usefixtures("bin_dir")
def test_without_go_the_error_names_the_version_to_install():
    with pytest.raises(LabError, match=r"Go is missing: install Go 1\.25\.\d+ or newer, or the Pulumi CLI 3\.259\.0"):
        pulumi_cli.install()


@pytest.mark.parametrize("version", ["1.9.7", "1.24.4", "1.25rc1"])
def test_an_older_go_is_refused_before_anything_is_built(go, monkeypatch, version):
    monkeypatch.setenv("FAKE_GO_VERSION", version)

    with pytest.raises(LabError, match=f"Go {version} is too old: install Go"):
        pulumi_cli.install()

    assert _builds(go) == []


def test_the_python_package_and_the_cli_have_the_same_version():
    root = Path(pulumi_cli.__file__).parent.parent

    assert f"pulumi=={pulumi_cli.VERSION}\n" in (root / "requirements/program.in").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{pulumi_cli.VERSION}" in (root / "lab/go/cli/go.mod").read_text()
