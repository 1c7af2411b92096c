"""A virtual machine has files, a network card and an ssh host key of its own, and can be found and ended."""

import base64
import os
import select
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import paths
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import machine
from lab.vm.image import HOST_KEY_MARK, Image
from lab.vm.machine import Machine

HOSTS = [
    {"name": "master", "address": "192.168.50.2", "role": "manager", "cpus": 2, "memory": 4096},
    {"name": "slave", "address": "192.168.50.3", "role": "worker"},
]
IMAGE = Image(disk=Path("/cache/disk"), kernel=Path("/cache/linux"))
PUBLIC_KEY = "ssh-ed25519 AAAA swarm-transfer"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(paths, "MACHINE_DIR", tmp_path / "machine")
    lab = Lab(name="vm", checkout=tmp_path, virtual=True)
    lab.logs_dir.mkdir(parents=True)
    return lab


@pytest.fixture
def master(lab: Lab) -> Machine:
    return machine.of(lab, HOSTS)[0]


def running(master: Machine) -> "subprocess.Popen[bytes]":
    """Start a program that looks like the machine's kernel, with a program of the machine beside it."""
    master.folder.mkdir(parents=True)
    script = "while :; do sleep 0.1; done & echo started; wait"
    kernel = subprocess.Popen(
        ["sh", "-c", script, f"uml_dir={master.folder}/"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert kernel.stdout
    kernel.stdout.readline()  # before that, it may not have its command line yet
    (master.folder / "pid").write_text(f"{kernel.pid}\n")
    return kernel


def credential(master: Machine, name: str) -> list[str]:
    """Return the lines of what the machine's systemd is given by this name."""
    start = f"systemd.set_credential_binary={name}:"
    (word,) = [word for word in master.command(IMAGE, PUBLIC_KEY) if word.startswith(start)]
    return base64.b64decode(word.removeprefix(start)).decode().splitlines()


def test_machines_have_the_memory_of_the_list_of_hosts(lab: Lab) -> None:
    master, slave = (each.command(IMAGE, PUBLIC_KEY) for each in machine.of(lab, HOSTS))

    assert "mem=4096M" in master
    assert "mem=2048M" in slave


def test_machines_that_would_not_fit_into_memory_are_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=6143 * 2**20, used=100 * 2**20))

    machine.require_memory(machine.of(lab, HOSTS)[:1])
    with pytest.raises(LabError, match=r"6143 MiB free, and the machines need 6144: .*size=6244m .* Pulumi\.lab\.yaml"):
        machine.require_memory(machine.of(lab, HOSTS))


def test_machines_only_read_the_disk_that_they_share(lab: Lab) -> None:
    disks = [
        word.removeprefix("ubd0=").split(",")
        for each in machine.of(lab, HOSTS)
        for word in each.command(IMAGE, PUBLIC_KEY)
        if word.startswith("ubd0=")
    ]

    assert [shared for _, shared in disks] == ["/cache/disk", "/cache/disk"]
    assert len({own for own, _ in disks}) == 2


def test_no_two_machines_share_a_network_card_a_folder_or_a_console(lab: Lab) -> None:
    master, slave = machine.of(lab, HOSTS)

    for attribute in ("tap", "mac", "folder", "console"):
        assert getattr(master, attribute) != getattr(slave, attribute)


def test_a_machine_learns_its_name_address_and_key_from_the_kernels_command_line(master: Machine) -> None:
    assert "systemd.hostname=master" in master.command(IMAGE, PUBLIC_KEY)
    assert "Address=192.168.50.2/24" in credential(master, "network.network.lan")
    files = credential(master, "tmpfiles.extra")
    assert f"f /home/vagrant/.ssh/authorized_keys 0600 vagrant vagrant - {PUBLIC_KEY}" in files
    assert r"f+ /etc/hosts 0644 root root - 127.0.0.1 localhost\n127.0.1.1 master\n" in files


def test_the_kernels_command_line_is_not_cut(master: Machine) -> None:
    key = f"ssh-ed25519 {'A' * 68} swarm-transfer"

    assert len(" ".join(master.command(IMAGE, key)[1:])) < 4096, "what User-Mode Linux takes"


def test_the_host_key_is_what_the_machine_shows_on_its_console(master: Machine) -> None:
    master.console.write_text(f"[ 12.3] booting\n{HOST_KEY_MARK}ssh-ed25519 AAAAC3Nz+/9= root@master\r\n")

    assert master.host_key() == "ssh-ed25519 AAAAC3Nz+/9="


def test_a_machine_that_ends_is_reported_with_the_reason(master: Machine) -> None:
    master.folder.mkdir(parents=True)
    master.console.write_text("cannot set up guest memory")
    (master.folder / "pid").write_text("999999999")

    with pytest.raises(LabError, match="master ended:\ncannot set up guest memory"):
        master.host_key()


def test_all_machines_are_ended_and_their_disks_removed(lab: Lab, master: Machine) -> None:
    kernel = running(master)
    assert master.is_running()

    machine.remove_all(lab)

    assert kernel.wait() < 0
    assert kernel.stdout
    with kernel.stdout as output:
        assert select.select([output], [], [], 10)[0], "a program of the machine is still running"
    assert not master.is_running()
    assert not machine.folder(lab).exists()


def test_another_process_with_a_recorded_id_is_left_alone(lab: Lab, master: Machine) -> None:
    master.folder.mkdir(parents=True)
    (master.folder / "pid").write_text(str(os.getpid()))

    assert not master.is_running()
    machine.remove_all(lab)
