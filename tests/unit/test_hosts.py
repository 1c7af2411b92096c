"""What every host gets before the cluster does: the settings of its Docker Engine and of its ssh server."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HOSTS = ROOT / "hosts"
BOTH = ["daemon.json", "sshd.conf"]
ENGINE = json.loads((HOSTS / "container" / "daemon.json").read_text())


def test_no_container_can_gain_privileges() -> None:
    """The provider cannot set this for a service, so the Engine does for all containers."""
    assert ENGINE["no-new-privileges"] is True


def test_the_logs_of_all_containers_are_rotated() -> None:
    assert ENGINE["log-driver"] == "json-file"
    assert ENGINE["log-opts"] == {"max-size": "10m", "max-file": "3"}


def test_a_setting_is_not_both_in_the_file_and_on_the_engines_command_line() -> None:
    """The Engine would not start."""
    options = re.findall(r"--([a-z-]+)", (HOSTS / "container" / "entry.sh").read_text())

    assert "log-level" in options
    assert not ENGINE.keys() & set(options)


def test_ssh_takes_keys_only_and_never_root() -> None:
    lines = (HOSTS / "container" / "sshd.conf").read_text().splitlines()
    settings = dict(line.split() for line in lines if line and not line.startswith("#"))

    assert settings["PermitRootLogin"] == "no"
    assert settings["PasswordAuthentication"] == "no"
    assert settings["KbdInteractiveAuthentication"] == "no"


def test_ssh_accepts_as_many_logins_at_once_as_pulumi_begins() -> None:
    (begin,) = re.findall(r"^MaxStartups (\d+):", (HOSTS / "container" / "sshd.conf").read_text(), re.MULTILINE)

    assert int(begin) >= 64, "Pulumi's default with 16 processors"


@pytest.mark.parametrize("name", BOTH)
def test_both_kinds_of_hosts_get_the_same_files(name: str) -> None:
    container = (HOSTS / "container" / "Dockerfile").read_text()
    vagrantfile = (ROOT / "Vagrantfile").read_text()
    machine = (HOSTS / "provision.sh").read_text()

    assert re.search(rf"^COPY {name} /etc/", container, re.MULTILINE)
    uploaded = vagrantfile.index('override.vm.provision "file", source: "hosts/container/#{file}"')
    assert uploaded < vagrantfile.index('path: "hosts/provision.sh"')
    assert f"%w[{' '.join(BOTH)}].each do |file|" in vagrantfile
    assert re.search(rf"^ *install .* /tmp/{name} /etc/", machine, re.MULTILINE)
