"""A host is taken out of service only while the cluster is well, and the next one only when it is well again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.commands import HOST_LABEL
from components.ssh import SshError, SshTarget
from operations import health, maintain
from operations.maintain import Maintenance, plan
from operations.stack import ConfiguredHosts, OperationError
from settings.models import Host


def target(name: str) -> SshTarget:
    return SshTarget(name=name, address=name, user="vagrant", private_key_file=Path("k"), known_hosts_file=Path("h"))


@dataclass
class Hosts:
    """Two hosts that answer the scripts, and what was done to them, in order."""

    done: list[str] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=lambda: {"files": 3, "postgres-slave": 1, "postgres-master": 1})
    ready: dict[str, bool] = field(default_factory=lambda: {"master": True, "slave": True})
    drained: set[str] = field(default_factory=set)
    members: list[tuple[str, str]] = field(
        default_factory=lambda: [("leader", "running"), ("sync_standby", "streaming")]
    )
    few_copies: int = 0
    boots: int = 0
    failing: str = ""
    silent: str = ""

    def ask(self, host: SshTarget, script: str, **_: Any) -> str:
        if host.name == self.silent:
            raise SshError("no answer within 60 s")
        if "http://docker/nodes" in script:
            return self.cluster()
        if "boot_id" in script:
            return str(self.boots)
        if "wget" in script:
            members = [{"name": role, "role": role, "state": state} for role, state in self.members]
            return f"index|{json.dumps({'members': members})}\nfew copies|{self.few_copies}\n"
        for word, step in (("drain", "drained"), ("active", "active"), ("reboot", "reboots")):
            if word in script:
                self.done.append(f"{host.name}: {step}")
                self.boots += word == "reboot"
                return ""
        self.done.append(f"{host.name}: {script}")
        if script == self.failing:
            raise SshError("no space left")
        return ""

    def cluster(self) -> str:
        nodes = [
            {
                "ID": f"{name}-id",
                "Spec": {
                    "Labels": {HOST_LABEL: name},
                    "Availability": "drain" if name in self.drained else "active",
                    "Role": "manager",
                },
                "Status": {"State": "ready" if ready else "down"},
                "Description": {"Hostname": name, "Platform": {"OS": "linux"}},
            }
            for name, ready in self.ready.items()
        ]
        services = [
            {
                "Spec": {
                    "Name": name,
                    "Mode": {"Replicated": {"Replicas": 3 if name == "files" else 1}},
                    "TaskTemplate": {},
                },
                "ServiceStatus": {"RunningTasks": tasks},
            }
            for name, tasks in self.running.items()
        ]
        return f"{json.dumps(nodes)}\n{json.dumps(services)}\n"


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    found = Hosts()
    monkeypatch.setattr(maintain, "ask", found.ask)
    monkeypatch.setattr(health, "ask", found.ask)
    monkeypatch.setattr(maintain, "_POLL_SECONDS", 0)
    for limit in ("_BEFORE_SECONDS", "_BOOT_SECONDS", "_AFTER_SECONDS"):
        monkeypatch.setattr(maintain, limit, 0)
    return found


SLAVE = Maintenance(target=target("slave"), manager=target("master"), others=[target("master")])


def test_a_host_is_drained_upgraded_rebooted_and_put_back(hosts: Hosts) -> None:
    SLAVE.run("upgrade", reboot=True)

    assert hosts.done == ["master: drained", "slave: upgrade", "slave: reboots", "master: active"]


def test_a_host_need_not_reboot(hosts: Hosts) -> None:
    SLAVE.run("upgrade", reboot=False)

    assert hosts.done == ["master: drained", "slave: upgrade", "master: active"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ready": {"master": False, "slave": True}}, "master is down"),
        ({"running": {"files": 2}}, "files: 2 of 3 tasks run"),
        ({"members": [("leader", "running"), ("replica", "streaming")]}, "the index has no synchronous standby"),
        ({"members": [("leader", "running")]}, "the index: 1 of 2 members are there"),
        ({"members": [("replica", "running"), ("sync_standby", "streaming")]}, "the index has no primary"),
        (
            {"members": [("leader", "running"), ("sync_standby", "start failed")]},
            'the index: sync_standby is in the state "start failed"',
        ),
        ({"few_copies": 4}, "4 of the object store's volumes have too few copies"),
        ({"drained": {"master"}}, "master is drained: finish its maintenance first"),
    ],
)
def test_nothing_is_changed_unless_the_cluster_is_well(hosts: Hosts, change: dict[str, Any], problem: str) -> None:
    vars(hosts).update(change)

    with pytest.raises(OperationError, match=problem):
        SLAVE.run("upgrade", reboot=True)

    assert hosts.done == []


def test_a_host_whose_script_fails_stays_drained_and_a_second_run_goes_on(hosts: Hosts) -> None:
    hosts.failing = "upgrade"
    with pytest.raises(OperationError, match=r"slave is still drained.*run this command again: .* no space left"):
        SLAVE.run("upgrade", reboot=True)
    assert hosts.done == ["master: drained", "slave: upgrade"]

    hosts.failing, hosts.drained, hosts.done = "", {"slave"}, []
    hosts.running["files"] = 2
    with pytest.raises(OperationError, match="slave is back, but the cluster is not well: files"):
        SLAVE.run("upgrade", reboot=True)
    assert hosts.done == ["slave: upgrade", "slave: reboots", "master: active"]


def test_a_host_that_does_not_reboot_stays_drained(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintain, "REBOOT", "nothing")

    with pytest.raises(OperationError, match=r"still drained.*it did not reboot: it still runs"):
        SLAVE.run("upgrade", reboot=True)

    assert "master: active" not in hosts.done


def test_a_host_that_does_not_answer_is_named(hosts: Hosts) -> None:
    hosts.silent = "slave"

    with pytest.raises(SshError, match="slave: no answer within 60 s"):
        SLAVE.run("upgrade", reboot=True)


def managers_for(roles: Sequence[str], names: Sequence[str]) -> list[str]:
    hosts = [
        Host.model_validate({"name": name, "address": f"10.0.0.{number}", "role": role, "state": state})
        for number, (name, role, state) in enumerate(map(str.split, roles), start=1)
    ]
    configured = ConfiguredHosts(hosts, {host.name: target(host.name) for host in hosts})
    return [maintenance.manager.name for maintenance in plan(configured, names)]


def test_another_manager_commands_the_swarm_if_there_is_one() -> None:
    one = ["a manager active", "b worker active", "c manager gone"]
    three = ["a manager active", "b manager active", "c manager active"]

    assert managers_for(one, ["b", "a"]) == ["a", "a"]
    assert managers_for(three, ["a", "b", "c"]) == ["b", "a", "a"]


def test_a_name_that_no_host_has_is_refused() -> None:
    with pytest.raises(OperationError, match="no host is named c, x: a, b are"):
        managers_for(["a manager active", "b worker active", "c manager gone"], ["x", "c", "a"])
