"""A lab that needs only package registries: its own Docker Engine, network namespace, images and plugins."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import cadvisor, engine, local_registry, namespace, python_image, rootfs, seaweedfs, vagrant
from lab.paths import Lab
from lab.plugins import choice
from lab.progress import step

_REQUIREMENTS = Path("services/file_transfer/requirements.txt")


class OfflineLifecycle:
    """Runs the hosts on an engine in the lab's own network namespace."""

    prefix = "lab/exec "
    settings: Mapping[str, Any] = {"monitoring": {"grafana": False}}  # no package registry has Grafana
    note = "Grafana is off, since its image cannot be had without internet access. This page replaces it."

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def is_running(self) -> bool:
        """Return whether the lab's engine is up."""
        return engine.answers(self._lab)

    def is_reachable(self) -> bool:
        """Return whether this process runs in the lab's namespace."""
        return namespace.is_current(self._lab)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command, run in the lab's namespace."""
        return namespace.command(self._lab, arguments)

    def environment(self) -> dict[str, str]:
        """Return where the lab's engine and registry are."""
        return {"DOCKER_HOST": f"unix://{self._lab.engine_socket}", "SWARM_LAB_REGISTRY": local_registry.ADDRESS}

    def host_base(self) -> dict[str, str]:
        """Import the base of the hosts' image into the lab's engine."""
        tag = f"lab/host-base:{rootfs.HOST.key}"
        inspect = engine.docker(self._lab, "image", "inspect", tag)
        if subprocess.run(inspect, capture_output=True, check=False).returncode:
            tar = rootfs.build(rootfs.HOST)
            with step("importing the hosts' base image"):
                subprocess.run(engine.docker(self._lab, "import", str(tar), tag), check=True, stdout=subprocess.DEVNULL)
        return {"SWARM_HOST_BASE": tag}

    def serve_images(self) -> dict[str, str]:
        """Start the engine and the registry, and publish the images there."""
        lab = self._lab
        engine.sweep_orphans()
        engine.start(lab)
        local_registry.start(lab)
        monitoring = local_registry.publish(lab, rootfs.MONITORING)
        return {
            "alertmanager": monitoring,
            "cadvisor": local_registry.publish(lab, cadvisor.recipe()),
            "debian": local_registry.publish(lab, rootfs.DEBIAN),
            "haproxy": local_registry.publish(lab, rootfs.HAPROXY),
            "influxdb": monitoring,
            "node_exporter": local_registry.publish(lab, rootfs.NODE_EXPORTER),
            "prometheus": monitoring,
            "seaweedfs": local_registry.publish(lab, seaweedfs.recipe()),
            "python": local_registry.publish(lab, python_image.recipe(lab.checkout / _REQUIREMENTS)),
        }

    def install_plugins(self, home: Path, pulumi: Callable[..., object]) -> None:  # noqa: ARG002 - no CLI is needed
        """Install the real plugins that this machine has, and stand-ins for the others."""
        print("== plugins: " + ", ".join(self.plugins()))
        choice.install(_plugins(), home)

    def plugins(self) -> list[str]:
        """Return a description of each plugin."""
        return [plugin.description for plugin in _plugins().values()]

    def start_hosts(self, *names: str) -> None:
        """Start these hosts, or all of them if none are named, with Vagrant's docker provider."""
        vagrant.run(self._lab, self, "up", "--provider=docker", "--no-parallel", *names)

    def discard_hosts(self) -> None:
        """Remove the hosts. A running engine stays, with its images."""
        if engine.answers(self._lab):
            engine.remove_containers(self._lab)
        else:
            engine.remove(self._lab)

    def remove(self) -> None:
        """Remove the engine with all that it made."""
        engine.remove(self._lab)


def _plugins() -> dict[str, choice.Plugin]:
    return {name: choice.find(name, os.environ) for name in choice.VERSIONS}
