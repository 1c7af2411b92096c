"""Debian packages that the lab and the checks need, installed without starting the services that some bring along."""

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.progress import step

LAB = frozenset(
    {
        "curl",
        "docker-registry",
        "docker.io",
        "iproute2",
        "iptables",
        "mmdebstrap",
        "openssh-client",
        "prometheus",
        "util-linux",
        "vagrant",
    }
)
"""What the lab needs."""

LINT = frozenset({"prometheus"})
UNIT = frozenset({"haproxy", "openssh-client", "prometheus", "vagrant", "vagrant-libvirt"})
SERVICE = frozenset({"chromium", "curl", "procps"})
CHECKS = LINT | UNIT | SERVICE
"""What the checks need that run without a lab."""

# A program of each package tells whether it is there: cheaper than asking dpkg, and right for other sources too.
_PROGRAM_OF_PACKAGE = {
    "chromium": "chromium",
    "curl": "curl",
    "docker-registry": "docker-registry",
    "docker.io": "dockerd",
    "haproxy": "haproxy",
    "iproute2": "ip",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "openssh-client": "ssh",
    "procps": "ps",
    "prometheus": "promtool",
    "util-linux": "nsenter",
    "vagrant": "vagrant",
}
# A plugin has no program. Vagrant finds those of Debian by these files, whichever home it is told to use.
_FILE_OF_PACKAGE = {"vagrant-libvirt": Path("/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json")}

# Debian has servers there, and leaves it out of the PATH of anybody but root.
_SERVERS = "/usr/sbin"

_POLICY = Path("/usr/sbin/policy-rc.d")


class LabError(Exception):
    """The lab cannot be brought up; the text says what to do about it."""


def install(wanted: Collection[str] = LAB) -> bool:
    """Install those of these packages that are missing; True when all are there.

    Raises:
        LabError: something is missing, and this is not root on Debian.
    """
    missing = sorted(package for package in wanted if not _is_there(package))
    if not missing:
        return True
    if os.geteuid() or not shutil.which("apt-get"):
        names = " ".join(missing)
        raise LabError(f"missing: {', '.join(missing)}: run `apt-get install {names}`, or this as root on Debian")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Debian packages {' '.join(missing)}"), _services_kept_down():
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return True


def program(name: str) -> str:
    """Return the path of a program that one of the packages has.

    Raises:
        LabError: it is not there; the text names the package.
    """
    found = _find(name)
    if found is None:
        package = next(package for package, of_package in _PROGRAM_OF_PACKAGE.items() if of_package == name)
        raise LabError(f"{name} is not there: run `apt-get install {package}`")
    return found


def _is_there(package: str) -> bool:
    if package in _FILE_OF_PACKAGE:
        return _FILE_OF_PACKAGE[package].exists()
    return _find(_PROGRAM_OF_PACKAGE[package]) is not None


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SERVERS)


@contextmanager
def _services_kept_down() -> Iterator[None]:
    """Keep packages from starting their services: the lab starts its own, in its own network namespace."""
    if _POLICY.exists():  # somebody's own policy; it is there for the same reason
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
