"""Cleaning up after killed labs: everything of theirs is removed, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import engine, namespace
from lab.packages import LabError
from lab.paths import Lab


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder of labs, without any namespaces, mounts or control groups."""
    folder = tmp_path / "machine"
    folder.mkdir()
    monkeypatch.setattr("lab.paths.MACHINE_DIR", folder)
    monkeypatch.setattr(engine, "MACHINE_DIR", folder)
    monkeypatch.setattr(namespace, "_NAMESPACES", tmp_path / "netns")
    return folder


def record(lab: Lab) -> Lab:
    lab.machine_dir.mkdir(parents=True)
    (lab.machine_dir / "lab.json").write_text(json.dumps({"checkout": str(lab.checkout), "name": lab.name}))
    return lab


@pytest.fixture
def living(tmp_path: Path, machine: Path) -> Lab:
    assert machine.is_dir()
    checkout = tmp_path / "living"
    checkout.mkdir()
    (checkout / "Pulumi.yaml").touch()
    return record(Lab(name="demo", checkout=checkout))


@pytest.fixture
def orphan(tmp_path: Path, machine: Path) -> Lab:
    assert machine.is_dir()
    return record(Lab(name="demo", checkout=tmp_path / "gone"))


@pytest.fixture
def straggler(orphan: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the orphan's folder in its arguments, as an engine has."""
    wait = "import sys; sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", wait, str(orphan.machine_dir / "data")], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_every_lab_of_every_checkout_has_its_own_id(tmp_path: Path) -> None:
    labs = [Lab(name=name, checkout=tmp_path / folder) for name in ("demo", "test") for folder in ("a", "b")]

    assert len({lab.namespace for lab in labs}) == len({lab.machine_dir for lab in labs}) == 4
    assert all(len(str(lab.engine_socket)) < 100 for lab in labs), "a socket's path is short"


def test_a_lab_whose_checkout_is_gone_is_removed_with_its_processes(
    living: Lab, orphan: Lab, straggler: subprocess.Popen[bytes]
) -> None:
    engine.lock_file(orphan).touch()

    engine.sweep_orphans()

    assert straggler.wait(timeout=30) != 0
    assert not orphan.machine_dir.exists()
    assert not engine.lock_file(orphan).exists()
    assert living.machine_dir.exists()


def test_leftovers_of_a_dead_engine_are_removed_and_its_data_is_kept(living: Lab) -> None:
    (living.machine_dir / "docker.pid").write_text("1")
    (living.machine_dir / "exec").mkdir()
    (living.machine_dir / "data").mkdir()

    engine._clear_stale(living)

    assert sorted(path.name for path in living.machine_dir.iterdir()) == ["data", "lab.json"]


def test_only_one_process_at_a_time_changes_a_lab(living: Lab) -> None:
    second = engine.exclusive(living)

    with engine.exclusive(living), pytest.raises(LabError, match="being changed by another process"):
        second.__enter__()


def test_a_missing_engine_does_not_answer(living: Lab) -> None:
    assert engine.answers(living) is False
