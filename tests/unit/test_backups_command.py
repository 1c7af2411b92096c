"""`operations.backups` finds the host that makes the backups, and runs the service's program there."""

from collections.abc import Sequence
from typing import Any

import pytest

from components.ssh import SshError, SshTarget
from operations import backups
from operations.health import Swarm
from operations.stack import ConfiguredHosts, OperationError
from settings.models import Host


def node(identifier: str, host: str) -> dict[str, Any]:
    return {
        "ID": identifier,
        "Spec": {"Labels": {"swarm-transfer.host": host}, "Availability": "active"},
        "Status": {"State": "ready"},
    }


NODES = [node("n1", "master"), node("n2", "slave")]
SERVICE = {"ID": "s1", "Spec": {"Name": "backup"}}


def task(state: str) -> dict[str, Any]:
    return {"ServiceID": "s1", "NodeID": "n2", "Status": {"State": state}}


def swarm(services: Sequence[dict[str, Any]] = (SERVICE,), tasks: Sequence[dict[str, Any]] = ()) -> Swarm:
    return Swarm(NODES, services, tasks)


@pytest.fixture
def configured(target: SshTarget) -> ConfiguredHosts:
    hosts = [
        Host(name="first", address="192.168.50.4", role="manager"),
        Host(name="master", address="192.168.50.2", role="manager"),
        Host(name="slave", address="192.168.50.3", role="worker"),
    ]
    targets = {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user="vagrant",
            private_key_file=target.private_key_file,
            known_hosts_file=target.known_hosts_file,
        )
        for host in hosts
    }
    return ConfiguredHosts(hosts, targets)


def test_the_host_is_the_one_whose_task_runs() -> None:
    assert backups.host_of(swarm(tasks=[task("running")])) == "slave"


@pytest.mark.parametrize(
    ("found", "expected"),
    [(swarm(services=()), "set `backup`"), (swarm(tasks=[task("starting")]), "does not run")],
    ids=["no service", "no task"],
)
def test_without_a_running_service_the_error_says_what_to_do(found: Swarm, expected: str) -> None:
    with pytest.raises(OperationError, match=expected):
        backups.host_of(found)


def test_the_program_gets_its_words_and_its_input_through_a_manager_that_answers(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    asked: list[tuple[str, str]] = []

    def look_at(manager: SshTarget) -> Swarm:
        if manager.name == "first":
            raise SshError("no answer")
        return swarm(tasks=[task("running")])

    def show(target: SshTarget, script: str) -> int:
        asked.append((target.name, script))
        return 0

    monkeypatch.setattr(backups.health, "look_at", look_at)
    monkeypatch.setattr(backups, "show", show)

    backups.run_service(configured, ["restore", "--file", "it's"], stdin="{'a'}")

    ((host, script),) = asked
    assert host == "slave"
    assert "set -- restore --file 'it'\"'\"'s'\n" in script
    assert "INPUT='{'\"'\"'a'\"'\"'}'\n" in script


def test_a_program_that_fails_has_said_why(monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts) -> None:
    monkeypatch.setattr(backups.health, "look_at", lambda _: swarm(tasks=[task("running")]))
    monkeypatch.setattr(backups, "show", lambda *_: 1)

    with pytest.raises(OperationError, match="slave: `list` ended with status 1"):
        backups.run_service(configured, ["list"])


def test_without_any_manager_their_errors_are_named(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    def fail(manager: SshTarget) -> Swarm:
        raise SshError(f"{manager.name} is off")

    monkeypatch.setattr(backups.health, "look_at", fail)

    with pytest.raises(SshError, match="first is off\nmaster is off"):
        backups.run_service(configured, ["list"])
