"""The network of virtual machines: a bridge in the lab's namespace, with a network card (tap) for each machine."""

import subprocess
from collections.abc import Sequence

from lab import namespace
from lab.paths import Lab

BRIDGE = "machines"
"""The bridge's interface. All traffic between machines crosses it."""

ADDRESS = "192.168.50.1"
"""The bridge's own address, at which machines reach the lab's registry."""

PREFIX_LENGTH = 24
NETMASK = "255.255.255.0"

# The lab's own Docker Engine forwards nothing in the namespace, and makes this count for packets across a bridge too.
_FORWARDED = ("iptables", "--wait", "--insert", "FORWARD", "--in-interface", BRIDGE, "--out-interface", BRIDGE)


def create(lab: Lab) -> None:
    """Create the bridge, unless it exists."""
    if _has(lab, BRIDGE):
        return
    for command in (
        ["ip", "link", "add", BRIDGE, "type", "bridge"],
        ["ip", "address", "add", f"{ADDRESS}/{PREFIX_LENGTH}", "dev", BRIDGE],
        ["ip", "link", "set", BRIDGE, "up"],
        [*_FORWARDED, "--jump", "ACCEPT"],
    ):
        _run(lab, command)


def plug(lab: Lab, tap: str) -> None:
    """Connect a tap interface to the bridge, and create it unless it exists."""
    if not _has(lab, tap):
        _run(lab, ["ip", "tuntap", "add", "dev", tap, "mode", "tap"])
    _run(lab, ["ip", "link", "set", tap, "master", BRIDGE, "up"])


def _has(lab: Lab, interface: str) -> bool:
    shown = namespace.command(lab, ["ip", "link", "show", interface])
    return subprocess.run(shown, capture_output=True, check=False).returncode == 0


def _run(lab: Lab, command: Sequence[str]) -> None:
    subprocess.run(namespace.command(lab, command), check=True)
