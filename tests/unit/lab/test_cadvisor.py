"""The stand-in for cAdvisor's image: built from the library of one version, once, and found where upstream has it."""

import re
from pathlib import Path

import pytest

from lab import cadvisor, go_build

MODULE = go_build.MODULES / "cadvisor"


@pytest.fixture
def built(tmp_path, monkeypatch):
    """What Go was asked to build; the program that it makes is a text."""
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
def test_the_program_is_where_upstream_has_it_beside_the_health_check_s_wget():
    recipe = cadvisor.recipe()

    ((target, tree),) = recipe.trees
    assert recipe.name == "cadvisor"
    assert target == "/usr/bin"
    assert [path.name for path in tree.iterdir()] == ["cadvisor"]
    assert "wget" in recipe.packages


def test_it_is_built_once_from_the_module_s_files_alone(built):
    assert cadvisor.recipe().key == cadvisor.recipe().key

    ((module, arguments),) = built
    assert module == MODULE
    assert {"build", "-trimpath", "-buildvcs=false"} <= set(arguments)


def test_other_sources_make_another_program(built, tmp_path, monkeypatch):
    cadvisor.recipe()
    other = tmp_path / "module"
    other.mkdir()
    (other / "main.go").touch()
    monkeypatch.setattr(cadvisor, "_MODULE", other)
    cadvisor.recipe()

    assert [module for module, _ in built] == [MODULE, other]


def test_both_parts_of_the_library_have_one_version():
    required = (MODULE / "go.mod").read_text()

    versions = re.findall(r"^\tgithub\.com/google/cadvisor(?:/lib)? (v\S+)", required, re.MULTILINE)

    assert len(versions) == 2
    assert len(set(versions)) == 1
