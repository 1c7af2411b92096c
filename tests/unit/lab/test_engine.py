"""Clearing what killed labs leave behind: all of theirs, and nothing of anybody else's."""

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
    """A machine's folder of labs, with nothing to do for the kernel."""
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
    """A process that names the orphan's folder, as an engine's do."""
    wait = "import sys; sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", wait, str(orphan.machine_dir / "data")], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_labs_of_one_checkout_and_of_two_never_meet(tmp_path: Path) -> None:
    labs = [Lab(name=name, checkout=tmp_path / folder) for name in ("demo", "test") for folder in ("a", "b")]

    assert len({lab.namespace for lab in labs}) == len({lab.machine_dir for lab in labs}) == 4
    assert all(len(str(lab.engine_socket)) < 100 for lab in labs), "a socket's path is short"


def test_a_lab_whose_checkout_is_gone_is_taken_away_with_its_processes(
    living: Lab, orphan: Lab, straggler: subprocess.Popen[bytes]
) -> None:
    engine.lock_file(orphan).touch()

    engine.sweep_orphans()

    assert straggler.wait(timeout=30) != 0
    assert not orphan.machine_dir.exists()
    assert not engine.lock_file(orphan).exists()
    assert living.machine_dir.exists()


def test_a_dead_engines_leftovers_go_and_its_data_stays(living: Lab) -> None:
    (living.machine_dir / "docker.pid").write_text("1")
    (living.machine_dir / "exec").mkdir()
    (living.machine_dir / "data").mkdir()

    engine._clear_stale(living)

    assert sorted(path.name for path in living.machine_dir.iterdir()) == ["data", "lab.json"]


def test_one_lab_is_changed_by_one_process_at_a_time(living: Lab) -> None:
    second = engine.exclusive(living)

    with engine.exclusive(living), pytest.raises(LabError, match="being changed by another process"):
        second.__enter__()


def test_an_engine_that_is_not_there_does_not_answer(living: Lab) -> None:
    assert engine.answers(living) is False
