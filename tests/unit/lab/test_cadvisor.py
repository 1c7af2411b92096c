"""The replacement for the upstream cAdvisor image: built once, and with the program at the upstream path."""

import re
from pathlib import Path

import pytest

from lab import cadvisor, go_build

MODULE = go_build.MODULES / "cadvisor"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Records the arguments of `go build`, which writes a text instead of a program."""
    asked = []

    def go(module, *arguments):
        asked.append((module, arguments))
        Path(arguments[arguments.index("-o") + 1]).write_text("program")
        return ""

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(go_build, "require_go", lambda _module: None)
    monkeypatch.setattr(go_build, "go", go)
    return asked


@pytest.mark.usefixtures("built")
def test_the_image_has_the_program_at_the_upstream_path_and_wget_for_the_health_check():
    recipe = cadvisor.recipe()

    ((target, tree),) = recipe.trees
    assert recipe.name == "cadvisor"
    assert target == "/usr/bin"
    assert [path.name for path in tree.iterdir()] == ["cadvisor"]
    assert "wget" in recipe.packages


def test_it_is_built_once_and_only_from_the_files_of_the_module(built):
    assert cadvisor.recipe().key == cadvisor.recipe().key

    ((module, arguments),) = built
    assert module == MODULE
    assert {"build", "-trimpath", "-buildvcs=false"} <= set(arguments)


def test_changed_sources_are_built_again(built, tmp_path, monkeypatch):
    cadvisor.recipe()
    other = tmp_path / "module"
    other.mkdir()
    (other / "main.go").touch()
    monkeypatch.setattr(cadvisor, "_MODULE", other)
    cadvisor.recipe()

    assert [module for module, _ in built] == [MODULE, other]


def test_both_parts_of_the_library_have_the_same_version():
    required = (MODULE / "go.mod").read_text()

    versions = re.findall(r"^\tgithub\.com/google/cadvisor(?:/lib)? (v\S+)", required, re.MULTILINE)

    assert len(versions) == 2
    assert len(set(versions)) == 1
