"""Managers that are locked are unlocked, all of them, and the key is in no argument list."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.ssh import SshError, SshTarget
from operations import unlock
from operations.stack import OperationError

# The node's state is in a file.
DOCKER = """#!/bin/sh
echo "$*" >>calls
case $* in
  "info --format {{.Swarm.LocalNodeState}}") cat state ;;
  "swarm unlock") read -r key; [ "$key" = "SWMKEY-it's" ] || { echo 'invalid key' >&2; exit 1; } ;;
esac
"""


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-s"], input=script, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("state", "key", "printed", "status"),
    [
        ("locked", "SWMKEY-it's", "unlocked\n", 0),
        ("locked", "SWMKEY-other", "", 1),
        ("active", "SWMKEY-it's", "", 0),
        ("inactive", "SWMKEY-it's", "", 0),
        ("pending", "SWMKEY-it's", "", 1),
    ],
)
def test_only_a_locked_manager_is_unlocked(docker: Path, state: str, key: str, printed: str, status: int) -> None:
    (docker / "state").write_text(f"{state}\n")

    done = run(docker, unlock.script(key))

    assert (done.stdout, done.returncode) == (printed, status)
    calls = (docker / "calls").read_text()
    assert ("swarm unlock" in calls) == (state == "locked")
    assert "SWMKEY" not in calls


def target(name: str) -> SshTarget:
    return SshTarget(name=name, address=name, user="vagrant", private_key_file=Path("k"), known_hosts_file=Path("h"))


def test_every_host_is_asked_also_if_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(host: SshTarget, *_: Any) -> str:
        asked.append(host.name)
        if host.name == "b":
            raise SshError("no route to host")
        return "unlocked\n" if host.name == "a" else ""

    monkeypatch.setattr(unlock, "ask", ask)

    assert unlock.unlock([target("a"), target("c")], "SWMKEY-1") == ["a"]
    with pytest.raises(OperationError, match=r"^b: no route to host$"):
        unlock.unlock([target("b"), target("a"), target("c")], "SWMKEY-1")
    assert sorted(asked) == ["a", "a", "b", "c", "c"]


@pytest.mark.parametrize(("outputs", "key"), [('{"hosts": {}, "unlock_key": "SWMKEY-1"}', "SWMKEY-1"), ("{}", "")])
def test_the_key_is_the_stack_s(monkeypatch: pytest.MonkeyPatch, outputs: str, key: str) -> None:
    monkeypatch.setattr(unlock, "pulumi", lambda *arguments: outputs if "--show-secrets" in arguments else "{}")

    assert unlock.key() == key
