"""The machines' bridge is made once, in the lab's namespace, and carries what the Engine there would not forward."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import namespace
from lab.paths import Lab
from lab.vm import network


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that changed the namespace. Interfaces exist once they have been added."""
    run: list[str] = []

    def record(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        inside, words = command[0] == "inside", command[1:]
        assert inside, "in the namespace, and never in the machine's own network"
        if words[:3] == ["ip", "link", "show"]:
            return subprocess.CompletedProcess(command, 0 if any(f" {words[3]} " in f"{line} " for line in run) else 1)
        run.append(" ".join(words))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(namespace, "command", lambda _, command: ["inside", *command])
    monkeypatch.setattr(subprocess, "run", record)
    return run


def test_the_bridge_is_made_once_with_the_registrys_address(made: list[str], tmp_path: Path) -> None:
    lab = Lab(name="vm", checkout=tmp_path, virtual=True)

    for _ in range(2):
        network.create(lab)

    assert [line for line in made if line.startswith("ip link add")] == ["ip link add machines type bridge"]
    assert "ip address add 192.168.50.1/24 dev machines" in made


def test_packets_between_machines_are_forwarded(made: list[str], tmp_path: Path) -> None:
    network.create(Lab(name="vm", checkout=tmp_path, virtual=True))

    (rule,) = [line for line in made if line.startswith("iptables")]
    assert rule.endswith("--insert FORWARD --in-interface machines --out-interface machines --jump ACCEPT")


def test_a_machines_interface_is_made_once_and_plugged_in_each_time(made: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        network.plug(Lab(name="vm", checkout=tmp_path, virtual=True), "machine1")

    assert made == [
        "ip tuntap add dev machine1 mode tap",
        "ip link set machine1 master machines up",
        "ip link set machine1 master machines up",
    ]
