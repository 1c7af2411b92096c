"""An offline and an online lab differ in their lifecycle, which the lab's recorded mode decides."""

import subprocess

import pytest

from lab import engine, lifecycle, mode, vagrant
from lab.packages import LabError
from lab.paths import Lab


@pytest.fixture
def lab(tmp_path):
    lab = Lab(name="demo", checkout=tmp_path)
    lab.local_dir.mkdir(parents=True)
    return lab


@pytest.fixture
def online(lab):
    lab.mode_file.write_text("online\n")
    return lab


@pytest.fixture
def commands(monkeypatch):
    """The commands that are run, with their environments; each succeeds."""
    run = []

    def record(command, *, env=None, **_):
        run.append((command, env))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", record)
    return run


def test_commands_of_an_offline_lab_run_in_its_namespace(lab):
    (*enter, separator, program) = lifecycle.of(lab).command(["true"])

    assert (enter[0], separator, program) == ("nsenter", "--", "true")
    assert enter[1].endswith(lab.namespace)


def test_commands_of_an_online_lab_run_as_they_are(online):
    assert lifecycle.of(online).command(["true"]) == ["true"]
    assert lifecycle.of(online).is_reachable()


def test_vagrant_uses_the_offline_lab_s_engine_registry_and_base(lab, commands):
    vagrant.run(lab, lifecycle.of(lab), "up")

    command, environment = commands[-1]
    assert command[-2:] == ["vagrant", "up"]
    assert environment["DOCKER_HOST"] == f"unix://{lab.engine_socket}"
    assert environment["SWARM_LAB_REGISTRY"] == "192.168.50.1:5000"
    assert environment["SWARM_HOST_BASE"].startswith("lab/host-base:")


def test_vagrant_uses_the_machine_s_engine_for_an_online_lab(online, commands, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)

    lifecycle.of(online).discard_hosts()

    ((command, environment),) = commands
    assert command == ["vagrant", "destroy", "--force"]
    assert not {"DOCKER_HOST", "SWARM_LAB_REGISTRY", "SWARM_HOST_BASE"} & environment.keys()


@pytest.mark.parametrize(("running", "steps"), [(True, ["containers"]), (False, ["engine"])])
def test_new_hosts_are_made_on_the_engine_that_runs_already(lab, monkeypatch, running, steps):
    taken = []
    monkeypatch.setattr(engine, "answers", lambda _: running)
    monkeypatch.setattr(engine, "remove_containers", lambda _: taken.append("containers"))
    monkeypatch.setattr(engine, "remove", lambda _: taken.append("engine"))

    lifecycle.of(lab).discard_hosts()

    assert taken == steps


def test_the_mode_is_kept_until_the_lab_is_destroyed(lab, monkeypatch, capsys):
    monkeypatch.setenv("LAB", "offline")
    mode.choose(lab)
    monkeypatch.delenv("LAB")
    mode.choose(lab)

    assert mode.recorded(lab) == mode.OFFLINE
    assert capsys.readouterr().out.count("== lab: offline") == 1
    monkeypatch.setenv("LAB", "online")
    with pytest.raises(LabError, match=r"this lab is offline: run `make destroy` first"):
        mode.choose(lab)
