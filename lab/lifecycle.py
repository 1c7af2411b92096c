"""What a lab lives on, from its first start to its removal. Offline and online labs differ in this only."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lab import mode
from lab.offline import OfflineLifecycle
from lab.online import OnlineLifecycle
from lab.paths import Lab
from lab.vm.lifecycle import VmLifecycle


class Lifecycle(Protocol):
    """Runs and reaches the hosts of one lab, and provides their images and the plugins."""

    prefix: str
    """What people type before a command that reaches the hosts."""
    settings: Mapping[str, Any]
    """Settings that follow from where the images come from."""
    note: str
    """What the demo says at its end about these settings; may be empty."""

    def is_running(self) -> bool:
        """Return whether the engine that runs the hosts is up."""

    def is_reachable(self) -> bool:
        """Return whether this process can reach the hosts."""

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command in a form that can reach the hosts."""

    def environment(self) -> dict[str, str]:
        """Return what Vagrant's environment needs besides the lab's own files."""

    def host_base(self) -> dict[str, str]:
        """Provide the base of the hosts' image, and return what tells Vagrant of it."""

    def serve_images(self) -> dict[str, str]:
        """Provide the images, and return the references that replace the upstream ones, by setting."""

    def install_plugins(self, home: Path, pulumi: Callable[..., object]) -> None:
        """Install the provider plugins into the Pulumi home. `pulumi` runs the CLI with the arguments it is given."""

    def plugins(self) -> list[str]:
        """Return a description of each plugin: its name and version, and whether it is real."""

    def start_hosts(self, *names: str) -> None:
        """Start these hosts, or all of them if none are named. Running hosts are left alone."""

    def discard_hosts(self) -> None:
        """Remove the hosts and their data, and leave what takes long to make again."""

    def remove(self) -> None:
        """Remove everything outside the lab's own folder."""


def of(lab: Lab) -> Lifecycle:
    """Return the lifecycle of the lab in the mode that was chosen when it was first made.

    Virtual machines have only one: offline.
    """
    if lab.virtual:
        return VmLifecycle(lab)
    return OnlineLifecycle(lab) if mode.recorded(lab) == mode.ONLINE else OfflineLifecycle(lab)
