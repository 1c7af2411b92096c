"""Install the Debian packages that the lab and the checks need, without starting the services in them."""

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

VM = LAB | frozenset({"e2fsprogs", "tcpdump", "user-mode-linux"})
"""What the lab needs if its hosts are virtual machines."""

RUNC = frozenset({"gcc", "libc6-dev", "libseccomp-dev", "pkg-config"})
"""What a build of runc needs besides Go."""

LINT = frozenset({"prometheus"})
UNIT = frozenset({"haproxy", "openssh-client", "prometheus", "vagrant", "vagrant-libvirt"})
SERVICE = frozenset({"chromium-headless-shell", "curl", "haproxy", "postgresql", "procps", "restic", "util-linux"})
ROOT = frozenset({"iproute2", "nftables"})
"""What the service's tests need that only root can run."""
CHECKS = LINT | UNIT | SERVICE
"""What the checks that run without a lab need."""

# A package counts as installed if its program is found. This is faster than dpkg, and finds other sources too.
_PROGRAM_OF_PACKAGE = {
    "chromium-headless-shell": "chromium-headless-shell",
    "curl": "curl",
    "e2fsprogs": "mke2fs",
    "docker-registry": "docker-registry",
    "docker.io": "dockerd",
    "gcc": "gcc",
    "haproxy": "haproxy",
    "iproute2": "ip",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nftables": "nft",
    "openssh-client": "ssh",
    "pkg-config": "pkg-config",
    "procps": "ps",
    "prometheus": "promtool",
    "restic": "restic",
    "tcpdump": "tcpdump",
    "user-mode-linux": "linux.uml",
    "util-linux": "nsenter",
    "vagrant": "vagrant",
}
# Headers are no programs, and nor is a Vagrant plugin. Vagrant finds Debian's plugins by these files, whatever
# VAGRANT_HOME is. Debian does not put PostgreSQL's server on PATH, since there may be several versions.
_FILES_OF_PACKAGE = {
    "libc6-dev": "/usr/include/stdlib.h",
    "libseccomp-dev": "/usr/include/seccomp.h",
    "postgresql": "/usr/lib/postgresql/*/bin/postgres",
    "vagrant-libvirt": "/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json",
}

# Debian installs servers there, and only root has it on PATH.
_SERVERS = "/usr/sbin"

_POLICY = Path("/usr/sbin/policy-rc.d")


class LabError(Exception):
    """A lab command cannot go on. The message says what to do about it."""


def install(wanted: Collection[str] = LAB) -> bool:
    """Install the wanted packages that are missing, and return True.

    Raises:
        LabError: a package is missing, and this process is not root on Debian.
    """
    missing = sorted(package for package in wanted if not _is_installed(package))
    if not missing:
        return True
    if os.geteuid() or not shutil.which("apt-get"):
        names = " ".join(missing)
        raise LabError(f"missing: {', '.join(missing)}: run `apt-get install {names}`, or run this as root on Debian")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing Debian packages {' '.join(missing)}"), _without_starting_services():
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return True


def program(name: str) -> str:
    """Return the path of a program from one of the packages.

    Raises:
        LabError: it is not installed; the message names its package.
    """
    found = _find(name)
    if found is None:
        package = next(package for package, of_package in _PROGRAM_OF_PACKAGE.items() if of_package == name)
        raise LabError(f"{name} is not installed: run `apt-get install {package}`")
    return found


def _is_installed(package: str) -> bool:
    if package in _FILES_OF_PACKAGE:
        return any(Path("/").glob(_FILES_OF_PACKAGE[package].removeprefix("/")))
    return _find(_PROGRAM_OF_PACKAGE[package]) is not None


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_SERVERS)


@contextmanager
def _without_starting_services() -> Iterator[None]:
    """Keep packages from starting their services, since the lab starts its own in its network namespace."""
    if _POLICY.exists():  # the user has a policy already, which decides instead of ours
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
