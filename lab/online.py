"""A lab with internet access: upstream images, the real plugins, and the machine's own Docker Engine."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import vagrant
from lab.paths import Lab
from lab.plugins import choice


class OnlineLifecycle:
    """Runs the hosts on the machine's own engine, in the machine's network."""

    prefix = ""
    settings: Mapping[str, Any] = {}
    note = ""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def is_running(self) -> bool:
        """Return whether the machine's engine is up."""
        return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0

    def is_reachable(self) -> bool:
        """Return True: the hosts are in the machine's network."""
        return True

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command as it is."""
        return list(arguments)

    def environment(self) -> dict[str, str]:
        """Return nothing: Vagrant finds the machine's engine."""
        return {}

    def host_base(self) -> dict[str, str]:
        """Return nothing: the Dockerfile names the upstream image."""
        return {}

    def serve_images(self) -> dict[str, str]:
        """Return nothing: the upstream images are used."""
        return {}

    def install_plugins(self, home: Path, pulumi: Callable[..., object]) -> None:  # noqa: ARG002 - the CLI knows it
        """Download the real plugins."""
        for name, version in choice.VERSIONS.items():
            pulumi("plugin", "install", "resource", name, f"v{version}")

    def plugins(self) -> list[str]:
        """Return a description of each plugin."""
        return [f"{name} {version}: real" for name, version in choice.VERSIONS.items()]

    def start_hosts(self, *names: str) -> None:
        """Start these hosts, or all of them if none are named, with Vagrant's docker provider."""
        vagrant.run(self._lab, self, "up", "--provider=docker", "--no-parallel", *names)

    def discard_hosts(self) -> None:
        """Remove the hosts."""
        vagrant.run(self._lab, self, "destroy", "--force")

    def remove(self) -> None:
        """Remove the hosts. Nothing else is outside the lab's own folder."""
        self.discard_hosts()
