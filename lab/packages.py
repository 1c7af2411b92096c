"""Debian packages that the lab needs, installed without starting the services that some bring along."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.progress import step

# A program of each package tells whether it is there: cheaper than asking dpkg, and right for other sources too.
_PROGRAM_OF_PACKAGE = {
    "curl": "curl",
    "docker-registry": "docker-registry",
    "docker.io": "dockerd",
    "iproute2": "ip",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "openssh-client": "ssh",
    "prometheus": "promtool",
    "util-linux": "nsenter",
    "vagrant": "vagrant",
}
# The web page is tested in it, and it is large: the demo does without.
_PROGRAM_OF_TEST_PACKAGE = {"chromium": "chromium"}
_POLICY = Path("/usr/sbin/policy-rc.d")


class LabError(Exception):
    """The lab cannot be brought up; the text says what to do about it."""


def install(*, for_tests: bool = False) -> bool:
    """Install what is missing; True when all is there.

    Raises:
        LabError: something is missing, and this is not root on Debian.
    """
    wanted = _PROGRAM_OF_PACKAGE | (_PROGRAM_OF_TEST_PACKAGE if for_tests else {})
    missing = sorted(package for package, program in wanted.items() if not shutil.which(program))
    if not missing:
        return True
    if os.geteuid() or not shutil.which("apt-get"):
        raise LabError(f"missing: {', '.join(missing)}: install them, or run as root on Debian or Ubuntu")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Debian packages {' '.join(missing)}"), _services_kept_down():
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return True


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
