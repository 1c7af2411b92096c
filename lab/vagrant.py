"""Runs Vagrant for a lab's hosts."""

import os
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.packages import LabError
from lab.paths import Lab, cache_dir

if TYPE_CHECKING:
    from lab.lifecycle import Lifecycle  # whose implementations use this module


def environment(lab: Lab, lifecycle: "Lifecycle") -> Mapping[str, str]:
    """Return the environment that Vagrant needs for this lab."""
    return {
        **os.environ,
        "DOCKER_BUILDKIT": "0",  # Vagrant parses the classic builder's output
        "SWARM_HOSTS_FILE": str(lab.config_file),
        "SWARM_LOCAL": str(lab.local_dir),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DOTFILE_PATH": str(lab.local_dir / "vagrant"),
        "VAGRANT_HOME": str(cache_dir() / "vagrant"),
        **lifecycle.environment(),
    }


def run(lab: Lab, lifecycle: "Lifecycle", *arguments: str) -> None:
    """Run one Vagrant command.

    Raises:
        LabError: Vagrant failed; its own error has already been printed.
    """
    variables = {**environment(lab, lifecycle), **lifecycle.host_base()}
    command = lifecycle.command(["vagrant", *arguments])
    if subprocess.run(command, cwd=lab.checkout, env=variables, check=False).returncode:
        raise LabError(f"vagrant {' '.join(arguments)} failed: see above")
