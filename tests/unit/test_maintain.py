"""A host is taken out of service only while the cluster is well, and the next one only when it is well again."""

import json
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from components.commands import HOST_LABEL
from components.ssh import SshError, SshTarget
from operations import health, maintain, unlock
from operations.maintain import Maintenance, plan
from operations.stack import ConfiguredHosts, OperationError
from settings.models import Host


def target(name: str) -> SshTarget:
    return SshTarget(name=name, address=name, user="vagrant", private_key_file=Path("k"), known_hosts_file=Path("h"))


STEPS = {
    "http://docker/nodes": "swarm",
    "boot_id": "boot",
    "wget": "data",
    'drain "$NODE"': "drained",
    "availability active": "active",
    "swarm unlock": "unlocked",
    "reboot": "reboots",
    "upgrade": "upgraded",
    "nothing": "nothing",
}
"""What each script is for, by a part of its text."""


RUNNING = {"files": 3, "postgres-slave": 1, "postgres-master": 1, "object-store-master-master": 1}


@dataclass
class Hosts:
    """Two hosts that answer the scripts, and what was done to them, in order."""

    done: list[str] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=lambda: dict(RUNNING))
    ready: dict[str, bool] = field(default_factory=lambda: {"master": True, "slave": True})
    drained: set[str] = field(default_factory=set)
    members: list[tuple[str, str]] = field(
        default_factory=lambda: [("leader", "running"), ("sync_standby", "streaming")]
    )
    few_copies: int | None = 0
    boots: int = 0
    unreachable: str = ""
    grace: int = 10
    limits: list[int] = field(default_factory=list)
    failing: Collection[str] = ()

    def ask(self, host: SshTarget, script: str, *, timeout: int = 60) -> str:
        step = next(step for word, step in STEPS.items() if word in script)
        if f"{host.name}: {step}" in self.failing:
            raise SshError(f"{step} is out of order")
        match step:
            case "swarm":
                return self.cluster()
            case "boot":
                return str(self.boots)
            case "data":
                members = [{"name": role, "role": role, "state": state} for role, state in self.members]
                copies = "" if self.few_copies is None else f"few copies|{self.few_copies}\n"
                return f"index|{json.dumps({'members': members})}\n{copies}"
        self.done.append(f"{host.name}: {step}")
        self.boots += step == "reboots"
        if step == "drained":
            self.limits.append(timeout)
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
                "ManagerStatus": {"Reachability": "unreachable" if name == self.unreachable else "reachable"},
                "Description": {"Hostname": name, "Platform": {"OS": "linux"}},
            }
            for name, ready in self.ready.items()
        ]
        services = [
            {
                "ID": f"{name}-id",
                "Spec": {
                    "Name": name,
                    "Mode": {"Replicated": {"Replicas": 3 if name == "files" else 1}},
                    "TaskTemplate": {"ContainerSpec": {"StopGracePeriod": self.grace * 10**9}},
                },
            }
            for name in self.running
        ]
        tasks = [
            {"ServiceID": f"{name}-id", "Status": {"State": state}}
            for name, count in self.running.items()
            for state in ["running"] * count + ["starting"]
        ]
        return "\n".join(map(json.dumps, (nodes, services, tasks)))


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

    assert hosts.done == ["master: drained", "slave: upgraded", "slave: reboots", "master: active"]


def test_a_manager_that_is_locked_after_its_reboot_is_unlocked(hosts: Hosts) -> None:
    replace(SLAVE, unlock_key="SWMKEY-1").run("upgrade", reboot=True)

    assert hosts.done == [
        *("master: drained", "slave: upgraded", "slave: reboots", "slave: unlocked", "master: active"),
    ]


@pytest.mark.parametrize("autolock", [True, False])
def test_the_key_needs_the_passphrase_and_so_is_read_only_if_managers_are_locked(
    monkeypatch: pytest.MonkeyPatch, *, autolock: bool
) -> None:
    read = []
    monkeypatch.setattr(maintain, "configured_hosts", lambda: ConfiguredHosts([], {}, autolock))
    monkeypatch.setattr(unlock, "key", lambda: read.append("key") or "SWMKEY-1")
    monkeypatch.setattr("sys.argv", ["maintain", "unknown"])

    assert maintain.main() == 1
    assert read == ["key"] * autolock


def test_a_host_that_is_not_unlocked_stays_drained(hosts: Hosts) -> None:
    hosts.failing = ["slave: unlocked"]

    with pytest.raises(OperationError, match=r"slave is still drained.*it was not unlocked: unlocked is out of order"):
        replace(SLAVE, unlock_key="SWMKEY-1").run("upgrade", reboot=True)


def test_a_host_need_not_reboot(hosts: Hosts) -> None:
    SLAVE.run("upgrade", reboot=False)

    assert hosts.done == ["master: drained", "slave: upgraded", "master: active"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ready": {"master": False, "slave": True}}, "master is down"),
        ({"running": {**RUNNING, "files": 2}}, "files: 2 of 3 tasks run"),
        ({"unreachable": "slave"}, "slave cannot be reached by the other managers"),
        ({"members": [("leader", "running"), ("replica", "streaming")]}, "the index has no synchronous standby"),
        ({"members": [("leader", "running")]}, "the index has 1 of its 2 members"),
        ({"members": [("replica", "running"), ("sync_standby", "streaming")]}, "the index has no primary"),
        (
            {"members": [("leader", "running"), ("sync_standby", "start failed")]},
            'the index: sync_standby is in the state "start failed"',
        ),
        ({"few_copies": None}, "no host says how many copies the files have"),
        ({"few_copies": 4}, "4 of the object store's volumes have too few copies"),
        ({"drained": {"master"}}, "master is drained: finish its maintenance first"),
    ],
)
def test_nothing_is_changed_unless_the_cluster_is_well(hosts: Hosts, change: dict[str, Any], problem: str) -> None:
    vars(hosts).update(change)

    with pytest.raises(OperationError, match=problem):
        SLAVE.run("upgrade", reboot=True)

    assert hosts.done == []


@pytest.mark.parametrize("failing", ["master: drained", "slave: upgraded", "slave: boot", "slave: reboots"])
def test_a_host_with_a_step_that_fails_stays_drained_and_a_second_run_goes_on(hosts: Hosts, failing: str) -> None:
    hosts.failing = [failing]
    with pytest.raises(OperationError, match=rf"slave is still drained.*run this command again: {failing} is out of"):
        SLAVE.run("upgrade", reboot=True)
    assert "master: active" not in hosts.done

    # It must be drained again: the first run may have stopped while tasks were still ending.
    hosts.failing, hosts.drained, hosts.done = ["master: data"], {"slave"}, []
    with pytest.raises(OperationError, match="slave is back, but the cluster is not healthy: master: data is out of"):
        SLAVE.run("upgrade", reboot=True)
    assert hosts.done == ["master: drained", "slave: upgraded", "slave: reboots", "master: active"]


def test_a_drained_host_can_be_finished_while_another_is_drained(hosts: Hosts) -> None:
    hosts.drained = {"slave", "master"}

    SLAVE.run("upgrade", reboot=True)

    assert hosts.done[-1] == "master: active"


def test_tasks_may_take_as_long_to_stop_as_their_service_allows(hosts: Hosts) -> None:
    hosts.grace = 7200

    SLAVE.run("upgrade", reboot=False)

    assert hosts.limits == [2 * 7260]


def test_a_host_that_does_not_reboot_stays_drained(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintain, "REBOOT", "nothing")

    with pytest.raises(OperationError, match=r"still drained.*it did not come back: it still runs"):
        SLAVE.run("upgrade", reboot=True)

    assert "master: active" not in hosts.done


def test_a_host_that_does_not_answer_is_named_and_nothing_is_changed(hosts: Hosts) -> None:
    hosts.failing = ["master: swarm"]

    with pytest.raises(SshError, match="master: swarm is out of order"):
        SLAVE.run("upgrade", reboot=True)
    assert hosts.done == []


def test_the_upgrade_is_a_script_of_the_shell() -> None:
    assert subprocess.run(["sh", "-n", "-c", maintain.UPGRADE], check=False).returncode == 0
    assert subprocess.run(["sh", "-n", "-c", maintain.REBOOT], check=False).returncode == 0


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
    with pytest.raises(OperationError, match="unknown or gone: c, x; the hosts are a, b"):
        managers_for(["a manager active", "b worker active", "c manager gone"], ["x", "c", "a"])
