"""Online or offline: how the mode is chosen, and how it is described."""

import pytest

from lab import mode
from lab.packages import LabError


def _never_probed() -> str:
    pytest.fail("the engine was asked though LAB decides")


@pytest.mark.parametrize("name", [mode.OFFLINE, mode.ONLINE])
def test_the_variable_decides_and_no_engine_is_probed(name):
    decided = mode.decide({"LAB": name}, _never_probed)

    assert decided.name == name
    assert f"LAB={name}" in decided.reason


@pytest.mark.parametrize("environment", [{}, {"LAB": ""}])
def test_an_engine_that_pulls_means_online(environment):
    assert mode.decide(environment, lambda: "").name == mode.ONLINE


def test_without_such_an_engine_the_lab_is_offline_and_says_why():
    decided = mode.decide({}, lambda: "no Docker Engine answers")

    assert decided.name == mode.OFFLINE
    assert decided.description == "lab: offline, since no Docker Engine answers (LAB=online chooses the other)"


@pytest.mark.parametrize("value", ["on", "OFFLINE", "no"])
def test_another_value_is_refused_and_the_two_modes_are_named(value):
    with pytest.raises(LabError, match=f'LAB is "{value}".*"offline" or "online"'):
        mode.decide({"LAB": value}, _never_probed)


@pytest.mark.parametrize(
    ("version", "pull", "obstacle"),
    [
        (0, 0, ""),
        (0, 1, "the Docker Engine cannot pull upstream images"),
        (1, 0, "no Docker Engine answers"),
    ],
)
def test_the_probe_tells_an_absent_engine_from_one_that_cannot_pull(tmp_path, monkeypatch, version, pull, obstacle):
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$1" = version ] && exit {version}\n[ "$1" = pull ] && exit {pull}\nexit 9\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert mode.probe_engine() == obstacle


def test_a_machine_without_docker_has_no_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    assert mode.probe_engine() == "no Docker Engine answers"
