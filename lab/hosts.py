"""The hosts of a lab: `vagrant up --provider=docker` against the lab's engine."""

import os
import subprocess
from collections.abc import Mapping

from lab import engine, namespace, rootfs
from lab.packages import LabError
from lab.paths import Lab, cache_dir
from lab.progress import step

REGISTRY = "192.168.50.1:5000"
"""The lab's registry, at the address where the hosts reach it: the gateway of their private network."""


def import_base(lab: Lab) -> str:
    """Import the base of the hosts' image into the lab's engine, and return its name."""
    tag = f"lab/host-base:{rootfs.HOST.key}"
    if subprocess.run(engine.docker(lab, "image", "inspect", tag), capture_output=True, check=False).returncode:
        tar = rootfs.build(rootfs.HOST)
        with step("importing the hosts' base image"):
            subprocess.run(engine.docker(lab, "import", str(tar), tag), check=True, stdout=subprocess.DEVNULL)
    return tag


def up(lab: Lab, *names: str) -> None:
    """Start these hosts, or all of them if none are named. Running hosts are left alone.

    Raises:
        LabError: Vagrant failed; its own error has already been printed.
    """
    _vagrant(lab, "up", "--provider=docker", "--no-parallel", *names)


def destroy(lab: Lab, *names: str) -> None:
    """Remove these hosts and their data, or all hosts if none are named.

    Raises:
        LabError: Vagrant failed; its own error has already been printed.
    """
    _vagrant(lab, "destroy", "--force", *names)


def environment(lab: Lab, base: str | None = None) -> Mapping[str, str]:
    """Return the environment that Vagrant needs for this lab."""
    variables = {
        **os.environ,
        "DOCKER_BUILDKIT": "0",  # Vagrant parses the classic builder's output
        "SWARM_HOSTS_FILE": str(lab.config_file),
        "SWARM_LOCAL": str(lab.local_dir),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DOTFILE_PATH": str(lab.local_dir / "vagrant"),
        "VAGRANT_HOME": str(cache_dir() / "vagrant"),
    }
    if lab.is_online:
        return variables
    variables |= {"DOCKER_HOST": f"unix://{lab.engine_socket}", "SWARM_LAB_REGISTRY": REGISTRY}
    return variables if base is None else {**variables, "SWARM_HOST_BASE": base}


def _vagrant(lab: Lab, *arguments: str) -> None:
    command = namespace.command(lab, ["vagrant", *arguments])
    base = None if lab.is_online else import_base(lab)
    done = subprocess.run(command, cwd=lab.checkout, env=environment(lab, base), check=False)
    if done.returncode:
        raise LabError(f"vagrant {' '.join(arguments)} failed: see above")
