"""Hosts can pull from a registry that asks for a login, or are named before anything is changed."""

import json
import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import PASSWORDS, Recorder

from components import registry
from components.registry import Login, refusals
from components.ssh import SshError, SshTarget

Run = Callable[..., Recorder]
LOGIN = Login(address="registry.example:5000", username="swarm", password="it's-a-Horse")
SETTINGS = {"address": "registry.example:5000", "username": "swarm", "password": "registry-Horse-battery"}
REFUSED = json.dumps({"message": 'Get "https://registry.example:5000/v2/": unauthorized: authentication required'})


@pytest.fixture
def on_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that lets scripts run in this machine's shell, where the Engine gives this answer to curl.

    It returns the file in which curl records its arguments and its standard input.
    """
    seen = tmp_path / "seen"

    def answering(answer: str) -> Path:
        (tmp_path / "answer").write_text(answer)
        (tmp_path / "curl").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >{seen}\ncat >>{seen}\ncat {tmp_path}/answer\n')
        (tmp_path / "curl").chmod(0o755 | stat.S_IXUSR)
        return seen

    def ask(_: SshTarget, script: str) -> str:
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        return subprocess.run(["sh", "-s"], input=script, env=path, capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr(registry, "ask", ask)
    return answering


def test_a_host_that_can_log_in_is_accepted(on_host: Callable[[str], Path], target: SshTarget) -> None:
    seen = on_host('{"Status":"Login Succeeded"}\n200\n')

    assert refusals([target], LOGIN) == []

    arguments, _, sent = seen.read_text().partition("\n")
    assert json.loads(sent) == {
        "username": "swarm",
        "password": "it's-a-Horse",
        "serveraddress": "registry.example:5000",
    }
    assert "--unix-socket /var/run/docker.sock" in arguments
    assert "Horse" not in arguments


@pytest.mark.parametrize("status", ["401", "500"])
def test_a_registry_that_refuses_the_password_is_named(
    on_host: Callable[[str], Path], target: SshTarget, status: str
) -> None:
    on_host(f"{REFUSED}\n{status}\n")

    (line,) = refusals([target], LOGIN)

    assert line.startswith('master: the registry "registry.example:5000" refuses the user "swarm" or the password')
    assert "pulumi config set --secret --path swarm-transfer:registry.password" in line
    assert "Horse" not in line


@pytest.mark.parametrize("body", ['{"message":"x509: certificate signed by unknown authority"}', "no JSON"])
def test_a_registry_that_a_host_cannot_use_is_named(
    on_host: Callable[[str], Path], target: SshTarget, body: str
) -> None:
    on_host(f"{body}\n500\n")

    (line,) = refusals([target], LOGIN)

    assert line.startswith('master: cannot use the registry "registry.example:5000" (')
    assert "trusts its certificate" in line


def test_an_engine_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, target: SshTarget) -> None:
    def fail(*_: Any) -> str:
        raise SshError("curl: (28) Operation timed out")

    monkeypatch.setattr(registry, "ask", fail)

    assert refusals([target], LOGIN) == [
        "master: its Docker Engine does not answer (curl: (28) Operation timed out): restart it"
    ]


def test_a_registry_without_a_login_is_not_asked(target: SshTarget) -> None:
    assert refusals([target], Login(address="registry.example", username="", password="")) == []


def test_the_password_is_not_shown() -> None:
    assert "Horse" not in repr(LOGIN)


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """All hosts can log in."""
    monkeypatch.setattr(registry, "ask", lambda *_: "{}\n200\n")


@pytest.mark.usefixtures("logged_in")
def test_services_are_created_with_the_login(run_program: Run, values: dict[str, Any]) -> None:
    """Swarm gives it to every host that pulls the image."""
    recorder = run_program({**values, "registry": SETTINGS}, secrets=(*PASSWORDS, "registry"))

    for provider in recorder.of_type("pulumi:providers:docker").values():
        assert json.loads(provider["registryAuth"]["value"]) == [SETTINGS], "a secret"
    image = recorder.services()["files"]["taskSpec"]["containerSpec"]["image"]
    assert re.fullmatch(r"registry\.example:5000/.*@sha256:[0-9a-f]{64}", image)
    for resource in recorder.resources:
        plain = {key: value for key, value in resource.inputs.items() if key not in ("registry", "registryAuth")}
        assert SETTINGS["password"] not in repr(plain), resource.name


@pytest.mark.usefixtures("logged_in")
def test_without_a_login_there_is_none_in_the_state(run_program: Run, values: dict[str, Any]) -> None:
    recorder = run_program({**values, "registry": {"address": "registry.example:5000"}})

    assert all("registryAuth" not in each for each in recorder.of_type("pulumi:providers:docker").values())


@pytest.mark.usefixtures("logged_in")
def test_every_host_removes_what_it_has_pulled_after_the_services(run_program: Run, values: dict[str, Any]) -> None:
    recorder = run_program({**values, "registry": SETTINGS}, secrets=(*PASSWORDS, "registry"))

    removals = {
        f"files-image-{host}-removal-registry.example-5000": "REPOSITORY=registry.example:5000/swarm-transfer/"
        for host in ("master", "slave")
    }
    for name, repository in removals.items():
        assert repository in recorder.commands()[name]["delete"]
    assert set(removals) <= recorder.dependencies["files-image-master"]
    assert "files-image-slave" not in recorder.of_type("docker:index/image:Image")
