"""A new machine becomes a host by the same script as one of Vagrant's, over verified ssh."""

from pathlib import Path

import pytest

from lab import namespace
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import machine, provision
from lab.vm.machine import Machine

ROOT = Path(__file__).parent.parent.parent.parent.parent


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that is reached with programs that only write their arguments down."""
    for name, status in (("ssh", 0), ("scp", 0)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/run\nexit {status}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(namespace, "command", lambda _, command: command)
    lab = Lab(name="vm", checkout=tmp_path, virtual=True)
    return machine.of(lab, [{"name": "master", "address": "192.168.50.2"}])[0]


def test_the_files_are_copied_before_the_script_runs_as_root(master: Machine, tmp_path: Path) -> None:
    provision.provision(master, "ssh-ed25519 AAAA me")

    login, copy, run = (tmp_path / "run").read_text().splitlines()
    assert login.endswith("vagrant@192.168.50.2 true")
    assert copy.startswith("scp")
    assert copy.endswith(f"{tmp_path}/hosts/provision.sh vagrant@192.168.50.2:/tmp/")
    assert run.endswith("vagrant@192.168.50.2 sudo bash /tmp/provision.sh 'ssh-ed25519 AAAA me'")
    for line in (login, copy, run):
        assert "StrictHostKeyChecking=yes" in line
        assert f"UserKnownHostsFile={master.lab.ssh_dir / 'known_hosts'}" in line


def test_a_failed_step_names_the_machine_and_the_programs_error(master: Machine, tmp_path: Path) -> None:
    (tmp_path / "bin" / "scp").write_text("#!/bin/sh\necho 'no space left' >&2; exit 1\n")

    with pytest.raises(LabError, match="master: scp failed: no space left"):
        provision.provision(master, "ssh-ed25519 AAAA me")


def test_only_the_keys_that_machines_show_are_known(
    master: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("192.168.50.9 ssh-ed25519 OLD\n")
    monkeypatch.setattr(Machine, "host_key", lambda _: "ssh-ed25519 NEW")

    provision.record_host_keys([master], known_hosts)

    assert known_hosts.read_text() == "192.168.50.2 ssh-ed25519 NEW\n"


def test_the_key_pair_is_made_once(tmp_path: Path) -> None:
    first = provision.key_pair(tmp_path / "ssh")

    assert first.startswith("ssh-ed25519 ")
    assert provision.key_pair(tmp_path / "ssh") == first
    assert (tmp_path / "ssh").stat().st_mode & 0o077 == 0
