"""Docker Engine 29, which a host of the lab may have instead of Debian's: built once, and of the version it names."""

from pathlib import Path

import pytest

from lab import engine_29, go_build

MODULE = go_build.MODULES / "engine"


def test_both_programs_are_built_once_with_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def go(module: Path, *arguments: str) -> str:
        asked.append((module, arguments))
        return ""

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(go_build, "require_go", lambda _module: None)
    monkeypatch.setattr(go_build, "go", go)

    assert engine_29.build() == engine_29.build()

    ((module, arguments),) = asked
    assert module == MODULE
    assert [argument.rpartition("/")[2] for argument in arguments[-2:]] == ["dockerd", "docker-proxy"]
    assert any(f"dockerversion.Version={engine_29.VERSION}" in argument for argument in arguments)


def test_the_version_is_the_one_that_the_module_is_tagged_with() -> None:
    """Docker's release and the module have different numbers, on one commit."""
    text = (MODULE / "go.mod").read_text()

    assert engine_29.VERSION == "29.7.1"
    assert "github.com/moby/moby/v2 v2.0.0-beta.21" in text
