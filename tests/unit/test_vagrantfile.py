"""The Vagrantfile defines the hosts in the configuration for each provider."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent


class Vagrant:
    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.hosts_file = folder / "hosts.yaml"
        self.hosts_file.write_text((ROOT / "Pulumi.lab.yaml").read_text())

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {
            "SWARM_HOSTS_FILE": str(self.hosts_file),
            "SWARM_LOCAL": str(self._folder / "local"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DOTFILE_PATH": str(self._folder / "dotfile"),
            "VAGRANT_HOME": str(self._folder / "home"),
        }
        return subprocess.run(
            [self._program, *arguments],
            cwd=ROOT,
            env={**os.environ, **known, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def knows(self, *hosts: str) -> bool:
        # Without a Docker Engine on this machine, `vagrant status` fails, but differently for an unknown host. The
        # Docker provider is no plugin, and without plugins Vagrant starts in two thirds of the time.
        done = self.run("status", *hosts, VAGRANT_DEFAULT_PROVIDER="docker", VAGRANT_NO_PLUGINS="1")
        return "was not found configured" not in done.stderr

    def add(self, **host: object) -> None:
        document = yaml.safe_load(self.hosts_file.read_text())
        document["config"]["swarm-transfer:hosts"].append(host)
        self.hosts_file.write_text(yaml.safe_dump(document))

    @property
    def local(self) -> Path:
        return self._folder / "local"


@pytest.fixture
def vagrant(tmp_path: Path, program: Callable[[str], str]) -> Vagrant:
    return Vagrant(program("vagrant"), tmp_path)


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt", "docker"])
def test_the_vagrantfile_is_valid_for_each_provider(vagrant: Vagrant, provider: str) -> None:
    # `--ignore-provider` skips the check that the provider itself is installed.
    done = vagrant.run("validate", "--ignore-provider", VAGRANT_DEFAULT_PROVIDER=provider)
    if f"The provider '{provider}' could not be found" in done.stderr:
        pytest.fail(
            f"Vagrant's provider {provider} is not there: run `apt-get install vagrant-{provider}`", pytrace=False
        )

    assert done.returncode == 0, done.stderr
    assert "validated successfully" in done.stdout


def test_vagrant_knows_the_configured_hosts_and_a_new_one(vagrant: Vagrant) -> None:
    assert vagrant.knows("master", "slave")
    assert not vagrant.knows("third")

    vagrant.add(name="third", address="192.168.50.4", role="worker")

    assert vagrant.knows("third")


def test_vagrant_creates_one_key_pair_and_keeps_it(vagrant: Vagrant) -> None:
    vagrant.knows("master")
    key = (vagrant.local / "ssh" / "id_ed25519").read_text()
    vagrant.knows("master")

    assert "OPENSSH PRIVATE KEY" in key
    assert (vagrant.local / "ssh" / "id_ed25519").read_text() == key
    assert oct((vagrant.local / "ssh" / "id_ed25519").stat().st_mode & 0o777) == "0o600"
