"""Programs are built once from their Go modules. An interrupted build leaves no program."""

import threading
from pathlib import Path

import pytest

from lab import go_build
from lab.packages import LabError


@pytest.fixture
def tools(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "swarm-transfer" / "tools"


@pytest.fixture
def module(tmp_path):
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n\ngo 1.25.11\n")
    (folder / "main.go").write_text("package main\n")
    return folder


def _build(folder: Path) -> None:
    (folder / "program").write_text("x")


def test_it_is_built_once(tools):
    built = []

    folders = {go_build.once("tool-1", built.append) for _ in range(2)}

    assert folders == {tools / "tool-1"}
    assert len(built) == 1


def test_other_users_may_run_a_built_program(tools):
    go_build.once("tool-1", _build)

    assert (tools / "tool-1").stat().st_mode & 0o777 == 0o755


def test_a_failed_build_leaves_nothing_and_the_next_one_starts_again(tools):
    def fail(folder):
        _build(folder)
        raise LabError("no")

    with pytest.raises(LabError):
        go_build.once("tool-1", fail)
    left = [path.name for path in tools.iterdir() if path.is_dir()]

    assert left == []
    assert (go_build.once("tool-1", _build) / "program").exists()


def test_the_remains_of_a_killed_build_are_removed(tools):
    abandoned = tools / ".unfinished-x"
    abandoned.mkdir(parents=True)

    go_build.once("tool-1", _build)

    assert not abandoned.exists()


@pytest.mark.usefixtures("tools")
def test_concurrent_builds_wait_for_each_other_and_build_once():
    running = threading.Semaphore(1)
    built = []

    def build(folder):
        assert running.acquire(blocking=False), "two builds at once"
        built.append(folder)
        _build(folder)
        running.release()

    threads = [threading.Thread(target=go_build.once, args=("tool-1", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(built) == 1


@pytest.mark.parametrize("change", ["content", "name", "more"])
def test_the_key_changes_with_the_files_of_the_module(module, change):
    before = go_build.key(module)
    if change == "content":
        (module / "main.go").write_text("package main \n")
    elif change == "name":
        (module / "main.go").rename(module / "other.go")
    else:
        (module / "more.go").touch()

    assert go_build.key(module) != before


def test_the_key_is_the_same_in_another_checkout(module, tmp_path):
    before = go_build.key(module)

    assert go_build.key(module.rename(tmp_path / "moved")) == before


def test_without_go_the_error_says_what_to_install(module, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LabError, match=r"^Go is missing: install Go 1\.25\.11 or newer$"):
        go_build.require_go(module)
    with pytest.raises(LabError, match=r"or newer, or a cup of tea$"):
        go_build.require_go(module, alternative="a cup of tea")


def test_programs_are_built_without_cgo_in_the_folder_of_their_module(module, tmp_path, monkeypatch):
    program = tmp_path / "go"
    program.write_text('#!/bin/sh\necho "$CGO_ENABLED $PWD $*"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert go_build.go(module, "build", ".") == f"0 {module} build ."
