"""Docker Engine 29, which a host of the lab may have instead of Debian's: built once, and of the version it names."""

from pathlib import Path

import pytest

from lab import __main__ as lab_commands
from lab import demo, engine_29, go_build, packages
from tools import checks

MODULES = {"engine": go_build.MODULES / "engine", "runc": go_build.MODULES / "runc"}


def test_all_programs_are_built_once_with_their_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def go(module: Path, *arguments: str, cgo: bool = False) -> str:
        asked.append((module, arguments, cgo))
        return ""

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(go_build, "require_go", lambda _module: None)
    monkeypatch.setattr(go_build, "go", go)

    assert engine_29.build() == engine_29.build()

    (of_engine, engine, without_c), (of_runc, runc, with_c) = asked
    assert [of_engine, of_runc] == list(MODULES.values())
    assert [argument.rpartition("/")[2] for argument in engine[-2:]] == ["dockerd", "docker-proxy"]
    assert any(f"dockerversion.Version={engine_29.VERSION}" in argument for argument in engine)
    assert any(f"main.version={engine_29.RUNC_VERSION}" in argument for argument in runc)
    assert (without_c, with_c) == (False, True)


def test_the_versions_are_those_of_the_modules() -> None:
    """Docker's release and the Engine's module have different numbers, on one commit."""
    assert engine_29.VERSION == "29.7.1"
    assert "github.com/moby/moby/v2 v2.0.0-beta.21" in (MODULES["engine"] / "go.mod").read_text()
    assert f"github.com/opencontainers/runc v{engine_29.RUNC_VERSION}" in (MODULES["runc"] / "go.mod").read_text()


def test_it_is_built_before_the_tests_that_use_it_run_where_nothing_can_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(packages, "install", lambda wanted: done.append(wanted) or True)
    monkeypatch.setattr(engine_29, "build", lambda: done.append("engine") or tmp_path)
    monkeypatch.setattr(demo, "test", lambda _lab, folder: done.append(folder) or True)

    assert checks.run(lab_commands._stages("test-day-two"))

    wanted, *others = done
    assert wanted > packages.RUNC
    assert others == ["engine", "tests/end_to_end/day_two"]
