"""Every host that cannot be used is reported with the reason and the remedy before anything is changed."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from described import settings_for
from recorder import FRESH as FRESH_ANSWER

from components import preflight
from components.preflight import Plan, PreflightError, conflicts, explain
from components.probe import Probe
from components.ssh import Jump, SshTarget
from settings import topology

ADDRESSES = {"m1": "10.0.0.1", "m2": "10.0.0.2", "w1": "10.0.0.3"}
OURS = {"LocalNodeState": "active", "ControlAvailable": True, "Cluster": {"ID": "ours"}}
THEIRS = {"LocalNodeState": "active", "ControlAvailable": True, "Cluster": {"ID": "theirs"}}
FREE = Probe(swarm={"LocalNodeState": "inactive"}, stack="")


def manager(swarm: dict[str, Any] = OURS, stack: str = "lab") -> Probe:
    return Probe(swarm=swarm, stack=stack)


def worker(*addresses: str) -> Probe:
    remote = [{"Addr": f"{address}:2377"} for address in addresses]
    return Probe(swarm={"LocalNodeState": "active", "ControlAvailable": False, "RemoteManagers": remote}, stack="")


def problems(**probes: Probe) -> list[str]:
    return conflicts(probes, ADDRESSES, managers=["m1", "m2"], stack="lab")


def test_fresh_hosts_are_accepted() -> None:
    assert problems(m1=FREE, m2=FREE, w1=FREE) == []


def test_a_locked_manager_is_to_be_unlocked_and_never_to_leave() -> None:
    locked = Probe(swarm={"LocalNodeState": "locked", "ControlAvailable": False}, stack="")

    for probes in ({"m1": locked, "m2": manager()}, {"m1": manager(), "m2": locked}, {"m1": locked, "m2": locked}):
        assert problems(**probes, w1=worker("10.0.0.1")) == [
            f"{name}: its manager is locked: run `python -m operations.unlock`; if it is in another swarm, run "
            "`docker swarm leave --force` there"
            for name, probe in probes.items()
            if probe is locked
        ]


def test_the_stacks_own_swarm_is_accepted() -> None:
    assert problems(m1=manager(), m2=manager(), w1=worker("10.0.0.1", "10.0.0.2")) == []


def test_a_fresh_host_may_join_the_stacks_swarm() -> None:
    assert problems(m1=manager(), m2=FREE, w1=FREE) == []


@pytest.mark.parametrize(
    ("name", "probes"),
    [
        ("m1", {"m1": manager(stack=""), "m2": FREE, "w1": FREE}),
        ("m1", {"m1": manager(stack="another"), "m2": FREE, "w1": FREE}),
        ("m2", {"m1": manager(), "m2": manager(THEIRS), "w1": FREE}),
        ("w1", {"m1": manager(), "m2": FREE, "w1": worker("10.9.9.9")}),
        ("w1", {"m1": FREE, "m2": FREE, "w1": worker("10.0.0.1")}),
    ],
    ids=["unmarked", "another stack's", "another cluster", "other managers", "of a swarm that is gone"],
)
def test_a_host_in_another_swarm_is_reported_with_the_remedy(name: str, probes: dict[str, Probe]) -> None:
    (problem,) = problems(**probes)

    assert problem.startswith(f"{name}: is in another swarm: run `docker swarm leave --force`")


@pytest.mark.parametrize("first", [FREE, worker("10.0.0.2")], ids=["in no swarm", "a worker"])
def test_a_first_manager_that_does_not_manage_the_swarm_yet_is_refused(first: Probe) -> None:
    assert problems(m1=first, m2=manager(), w1=worker("10.0.0.2")) == [
        (
            "m1: does not manage this stack's swarm yet and so cannot be the first manager: "
            "keep m2 the first manager until a `pulumi up` has made m1 a manager"
        )
    ]


@pytest.mark.parametrize("state", ["pending", "error"])
def test_a_broken_membership_is_reported_with_the_remedy(state: str) -> None:
    assert problems(m1=FREE, m2=FREE, w1=Probe(swarm={"LocalNodeState": state}, stack="")) == [
        f'w1: its swarm membership is "{state}": run `docker swarm leave --force` there'
    ]


@pytest.mark.parametrize(
    ("error", "explanation"),
    [
        (
            "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.",
            "host key has changed",
        ),
        ("No ED25519 host key is known\nHost key verification failed.", "host key is not known"),
        ("vagrant@h: Permission denied (publickey,password).", "refuses the user or the key"),
        ("ssh: connect to host h port 22: Connection refused", "cannot be reached (ssh: connect to host h port 22"),
        ("ssh: connect to host h port 22: No route to host", "cannot be reached"),
        ("no answer within 60 s", "cannot be reached (no answer within 60 s)"),
        ("docker is not installed", "lacks a program"),
        (
            "Error response from daemon: rpc error: desc = The swarm does not have a leader. It's possible that",
            "has lost most of its managers",
        ),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "does not run"),
        ("permission denied while trying to connect to the Docker daemon socket", "may not use Docker"),
    ],
)
def test_sshs_error_is_explained_in_one_line(error: str, explanation: str) -> None:
    explained = explain("slave", error)

    assert explained.startswith("slave: ")
    assert explanation in explained
    assert "\n" not in explained


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake `ssh` that prints the file with the address's name in this folder, or fails without one."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        "for word; do case $word in vagrant@*) address=${word#vagrant@} ;; esac; done\n"
        f'cat "{tmp_path}/$address" 2>/dev/null || {{ echo "Connection refused" >&2; exit 255; }}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


def targets(*names: str) -> list[SshTarget]:
    return [
        SshTarget(name=name, address=name, user="vagrant", private_key_file=Path("k"), known_hosts_file=Path("h"))
        for name in names
    ]


def plan(**changes: Any) -> Plan:
    settings = settings_for(["m1"], ["w1", "w2"], monitoring={"publish": ["influxdb"]}, **changes)
    return topology.plan(settings, stack="lab")


PLAN = plan()


def test_all_unreachable_hosts_are_reported_together(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(FRESH_ANSWER)

    with pytest.raises(PreflightError) as raised:
        preflight.check(targets("m1", "w1", "w2"), PLAN)

    heading, *lines = str(raised.value).splitlines()
    assert heading == "the hosts cannot be used as the settings say; nothing was changed:"
    assert [line.split(" (")[0] for line in lines] == ["  w1: cannot be reached", "  w2: cannot be reached"]
    for line in lines:
        assert "(`vagrant up w" in line
        assert line.endswith("If it is lost for good, add `state: gone` to its entry in `hosts`")


def test_a_host_that_is_gone_is_not_needed(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(
        f"{json.dumps(OURS)}\nplatform|linux/amd64\nstack|lab\nnode|n1|m1|\nnode|n2|w1|monitoring,index\n"
    )

    assert preflight.check(targets("m1"), PLAN, gone=targets("w1")).data_hosts["monitoring"] == ["m1"]


def test_a_new_machine_may_have_the_address_of_a_host_that_is_gone(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(f"{json.dumps(OURS)}\nplatform|linux/amd64\nstack|lab\n")
    (fake_ssh / "w1").write_text(FRESH_ANSWER)

    assert preflight.check(targets("m1"), PLAN, gone=targets("w1")).data_hosts["monitoring"] == ["m1"]


def test_a_host_that_is_gone_but_still_in_a_swarm_is_refused(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(f"{json.dumps(OURS)}\nplatform|linux/amd64\nstack|lab\n")
    (fake_ssh / "w1").write_text(f"{json.dumps({'LocalNodeState': 'active'})}\n")

    with pytest.raises(PreflightError, match=r"w1: its `state` in `hosts` is gone.*: remove its `state`"):
        preflight.check(targets("m1"), PLAN, gone=targets("w1"))


@pytest.mark.usefixtures("fake_ssh")
def test_a_host_behind_a_jump_host_is_reported_with_it() -> None:
    (target,) = targets("m1")

    with pytest.raises(PreflightError, match=r"m1 \(through bastion.example\): cannot be reached"):
        preflight.check([replace(target, jump=Jump(address="bastion.example", user="op"))], PLAN)


def test_without_data_the_first_hosts_are_the_hosts_of_all_kinds(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(f"{json.dumps(OURS)}\nplatform|linux/amd64\nstack|lab\n")
    (fake_ssh / "w1").write_text(FRESH_ANSWER)

    assert preflight.check(targets("m1", "w1"), PLAN).data_hosts == {"monitoring": ["m1"], "index": ["m1", "w1"]}


def test_data_stays_on_the_hosts_that_have_it(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(FRESH_ANSWER)
    (fake_ssh / "w1").write_text(f"{FRESH_ANSWER}volume|prometheus-data\n")
    (fake_ssh / "w2").write_text(f"{FRESH_ANSWER}volume|postgres-w2\n")

    assert preflight.check(targets("m1", "w1", "w2"), PLAN).data_hosts == {"monitoring": ["w1"], "index": ["m1", "w2"]}


def test_problems_with_data_and_ports_are_reported_together(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(
        f"{json.dumps(OURS)}\nplatform|linux/amd64\nstack|lab\nnode|n1|m1|\nnode|n2|gone|files\n"
        "listening|1389\nlistening|1F96\n"
    )
    (fake_ssh / "w1").write_text(f"{FRESH_ANSWER}volume|influxdb-vms\nlistening|1F96\n")
    (fake_ssh / "w2").write_text(f"{FRESH_ANSWER}volume|files\n")

    with pytest.raises(PreflightError) as raised:
        preflight.check(targets("m1", "w1", "w2"), plan(file_service={"storage": "directory", "storage_host": "m1"}))

    beginnings = ["file_service.storage_host: ", 'hosts: "gone" ', "m1: port 5001 ", "m1: port 8086 ", "w1: port 8086 "]
    for line, beginning in zip(str(raised.value).splitlines()[1:], beginnings, strict=True):
        assert line.startswith(f"  {beginning}")


def test_data_in_another_swarm_is_not_reported(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(f"{json.dumps(THEIRS)}\nstack|another\nnode|n9|theirs|files\nvolume|files\n")
    (fake_ssh / "w1").write_text(FRESH_ANSWER)

    with pytest.raises(PreflightError) as raised:
        preflight.check(targets("m1", "w1"), plan(file_service={"storage": "directory", "storage_host": "w1"}))

    (line,) = str(raised.value).splitlines()[1:]
    assert line.startswith("  m1: is in another swarm")


def test_each_host_builds_for_its_own_platform(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(FRESH_ANSWER)
    (fake_ssh / "w1").write_text(FRESH_ANSWER.replace("amd64", "arm64"))

    found = preflight.check(targets("m1", "w1"), PLAN)

    assert found.platforms == {"m1": "linux/amd64", "w1": "linux/arm64"}


def test_a_platform_without_images_is_refused(fake_ssh: Path) -> None:
    (fake_ssh / "m1").write_text(FRESH_ANSWER)
    (fake_ssh / "w1").write_text(FRESH_ANSWER.replace("amd64", "riscv64"))

    with pytest.raises(PreflightError) as raised:
        preflight.check(targets("m1", "w1"), PLAN)

    (line,) = str(raised.value).splitlines()[1:]
    assert line.startswith('  w1: its platform is "linux/riscv64", and the images are published for linux/amd64 and')
    assert line.endswith("use another machine")


def test_hosts_that_differ_are_refused_by_name_if_one_builds_for_all(fake_ssh: Path) -> None:
    for name in ("m1", "w2"):
        (fake_ssh / name).write_text(FRESH_ANSWER.replace("amd64", "arm64"))
    (fake_ssh / "w1").write_text(FRESH_ANSWER)

    with pytest.raises(PreflightError) as raised:
        preflight.check(targets("m1", "w1", "w2"), plan(registry={"address": "registry.example"}))

    (line,) = str(raised.value).splitlines()[1:]
    assert line.startswith('  w1: its platform is "linux/amd64", that of m1 is "linux/arm64"')
    assert "remove `registry`" in line


@pytest.mark.parametrize(("parallel", "warned"), [(None, False), (10, False), (11, True), (64, True)])
def test_more_operations_than_logins_are_warned_of(
    fake_ssh: Path, monkeypatch: pytest.MonkeyPatch, parallel: int | None, warned: bool
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    monkeypatch.setattr(preflight, "operations_at_a_time", lambda: parallel)
    for name in ("m1", "w1"):
        (fake_ssh / name).write_text(f"{FRESH_ANSWER}startups|10\n")

    preflight.check(targets("m1", "w1"), PLAN)

    assert len(warnings) == int(warned), "only the first manager gets more logins than a few"
    for warning in warnings:
        assert warning.startswith(f"m1: Pulumi begins {parallel} operations at a time")
        assert "--parallel 10" in warning
