"""A new swarm is prepared only if the old one is lost, and Pulumi's state then forgets it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorder import FRESH

from components.ssh import SshError, SshTarget
from operations import new_swarm, stack
from operations.new_swarm import forget, prepare
from operations.stack import OperationError
from settings.models import Host

WORKER = f"{json.dumps({'LocalNodeState': 'active', 'ControlAvailable': False})}\n"
MANAGER = f"{json.dumps({'LocalNodeState': 'active', 'ControlAvailable': True})}\nstack|lab\nnode|n1|slave|\n"
LEADERLESS = "Error response from daemon: rpc error: The swarm does not have a leader."

Answer = Callable[..., None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """A function that sets what hosts answer. The others do not."""
    answers: dict[str, str | SshError] = {}

    def ask(target: SshTarget, *_: Any, **__: Any) -> str:
        found = answers.get(target.name, SshError("no route to host"))
        if isinstance(found, SshError):
            raise found
        return found

    monkeypatch.setattr(new_swarm, "ask", ask)
    return answers.update


def leaving(*hosts: str) -> list[str]:
    """Return who would leave: each host is given as "NAME ROLE STATE"."""
    parsed = [
        Host.model_validate({"name": name, "address": f"10.0.0.{number}", "role": role, "state": state})
        for number, (name, role, state) in enumerate(map(str.split, hosts), start=1)
    ]
    targets = {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user="vagrant",
            private_key_file=Path("k"),
            known_hosts_file=Path("h"),
        )
        for host in parsed
    }
    return [target.name for target in prepare(parsed, targets)]


def test_the_hosts_that_are_left_leave_the_lost_swarm_and_new_ones_need_not(answer: Answer) -> None:
    answer(slave=WORKER, third=FRESH)

    assert leaving("master manager gone", "slave manager active", "third worker active") == ["slave"]


def test_a_manager_without_the_majority_leaves_too(answer: Answer) -> None:
    answer(c=SshError(LEADERLESS))

    assert leaving("a manager gone", "b manager gone", "c manager active") == ["c"]


@pytest.mark.parametrize(
    ("hosts", "answers", "expected"),
    [
        (["master manager active", "slave worker active"], {}, "no manager is gone: give each"),
        (["master manager gone", "slave worker active"], {}, "no host is to be the next manager: give"),
        (
            ["master manager gone", "slave manager active"],
            {"master": MANAGER, "slave": WORKER},
            "master: answers and is a manager: remove its `state`",
        ),
        (["a manager gone", "slave manager active"], {"slave": MANAGER}, "slave: is a manager, and its swarm works"),
        (["a manager gone", "slave manager active"], {}, "slave: cannot be asked: no route to host"),
    ],
)
def test_a_swarm_that_is_not_lost_is_left_alone(
    answer: Answer, hosts: list[str], answers: dict[str, str], expected: str
) -> None:
    answer(**answers)

    with pytest.raises(OperationError, match=expected):
        leaving(*hosts)


def test_a_host_that_left_but_kept_its_part_of_etcd_must_leave_again(answer: Answer) -> None:
    answer(slave=f"{FRESH}volume|etcd-slave\n", third=f"{FRESH}volume|etcd-slave\n")

    assert leaving("master manager gone", "slave manager active", "third worker active") == ["slave"]


def test_the_state_keeps_only_the_stack() -> None:
    stack = {"urn": "urn:stack", "type": "pulumi:pulumi:Stack"}
    others = [{"urn": "urn:service", "type": "docker:index/service:Service"}]
    state = {"version": 3, "deployment": {"manifest": {}, "resources": [stack, *others], "pending_operations": others}}

    assert forget(state) == {
        "version": 3,
        "deployment": {"manifest": {}, "resources": [stack], "pending_operations": []},
    }


BACKUP = Path("state-before-new-swarm-lab.json")
EXPORTED = {
    "version": 3,
    "deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}, {"type": "docker:index/service:Service"}]},
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the command does to a stack whose only manager is lost, in order: it runs in a folder of its own."""
    calls: list[str] = []
    state = {"now": json.dumps(EXPORTED)}
    hosts = [
        {"name": "master", "address": "10.0.0.2", "role": "manager", "state": "gone"},
        {"name": "slave", "address": "10.0.0.3", "role": "manager"},
    ]
    config = {"hosts": hosts, "ssh": {"private_key_file": "k", "known_hosts_file": "h"}}

    def pulumi(*arguments: str, stdin: str | None = None) -> str:
        if arguments[0] == "config":
            return json.dumps({f"swarm-transfer:{name}": {"objectValue": value} for name, value in config.items()})
        if arguments == ("stack", "--show-name"):
            return "lab\n"
        calls.append(" ".join(arguments))
        if stdin is not None:
            imported = json.loads(stdin)
            del imported["deployment"]["pending_operations"]  # Pulumi exports no empty list
            state["now"] = json.dumps(imported)
        return state["now"]

    def ask(target: SshTarget, script: str, **_: Any) -> str:
        if target.name == "master":
            raise SshError("no route to host")
        if script == new_swarm.SCRIPT:
            return WORKER
        assert "docker swarm leave" in script
        assert "VOLUME=etcd-slave\n" in script
        calls.append(f"{target.name} leaves, backup: {BACKUP.exists()}")
        return ""

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack, "pulumi", pulumi)
    monkeypatch.setattr(new_swarm, "pulumi", pulumi)
    monkeypatch.setattr(new_swarm, "ask", ask)
    return calls


def test_the_state_is_saved_before_anything_is_changed(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["new_swarm", "--yes"])

    assert new_swarm.main() == 0

    assert calls == ["stack export", "slave leaves, backup: True", "stack import"]
    assert json.loads(BACKUP.read_text()) == EXPORTED
    assert BACKUP.stat().st_mode & 0o777 == 0o600

    assert new_swarm.main() == 0
    assert json.loads(BACKUP.read_text()) == EXPORTED, "a second run keeps it"


def test_a_host_that_did_not_leave_is_named(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(target: SshTarget, script: str, **_: Any) -> str:
        if target.name == "slave" and script == new_swarm.SCRIPT:
            return WORKER
        raise SshError("volume etcd-slave is still in use")

    monkeypatch.setattr(new_swarm, "ask", ask)
    monkeypatch.setattr("sys.argv", ["new_swarm", "--yes"])

    assert new_swarm.main() == 1
    assert calls == ["stack export"], "Pulumi's state stays"
    assert "slave did not leave: volume etcd-slave is still in use: run this command again" in capsys.readouterr().err


def test_without_agreement_nothing_is_changed(
    calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["new_swarm"])

    assert new_swarm.main() == 1
    assert calls == []
    assert "slave would leave the lost swarm" in capsys.readouterr().err
