"""What every virtual machine starts from: a disk with Debian 13, and a kernel. Built from packages once and cached."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import go_build, local_registry, packages, rootfs
from lab.progress import step
from lab.rootfs import Recipe

HOST_KEY_MARK = "swarm-transfer host key: "
"""What a machine writes to its console before its ssh host key, at every start."""

_DISK_SIZE = "16G"
_MODULES = Path("/usr/lib/uml/modules")

# It runs before ssh, so that the server has a key. Each machine makes its own, as at any first start.
_HOST_KEY_UNIT = f"""[Unit]
Description=Make the ssh host keys of a new machine, and show one on the console
Before=ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A
ExecStart=/bin/sh -c 'echo "{HOST_KEY_MARK}$(cat /etc/ssh/ssh_host_ed25519_key.pub)" >/dev/console'
[Install]
WantedBy=multi-user.target"""

# User-Mode Linux does not say how fast its processor is and where it sits. Without that, cAdvisor does not start.
_PROCESSOR_UNIT = """[Unit]
Description=Describe the processor
Before=docker.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount -t tmpfs -o mode=0755 processor /sys/devices/system/cpu
ExecStart=/bin/mkdir -p /sys/devices/system/cpu/cpu0/cpufreq /sys/devices/system/cpu/cpu0/topology
ExecStart=/bin/sh -c 'echo 2000000 >/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq'
ExecStart=/bin/sh -c 'cd /sys/devices/system/cpu/cpu0/topology && echo 0 | tee core_id physical_package_id'
ExecStart=/bin/sh -c 'cd /sys/devices/system/cpu && echo 0 | tee online possible present'
[Install]
WantedBy=multi-user.target"""

RECIPE = Recipe(
    name="vm",
    packages=(
        "apparmor", "bash", "ca-certificates", "curl", "dbus", "docker-cli", "docker.io", "ethtool", "iproute2",
        "iptables", "kmod", "openssh-server", "procps", "sudo", "systemd", "systemd-sysv", "udev",
    ),
    files=(
        ("/etc/fstab", "/dev/ubda / ext4 defaults 0 1"),
        ("/etc/sudoers.d/vagrant", "vagrant ALL=(ALL) NOPASSWD:ALL"),
        ("/etc/systemd/system/host-keys.service", _HOST_KEY_UNIT),
        ("/etc/systemd/system/processor.service", _PROCESSOR_UNIT),
        # The machines reach no other registry than the lab's, which has no TLS.
        ("/etc/default/docker", f'DOCKER_OPTS="--insecure-registry={local_registry.ADDRESS}"'),
    ),
    commands=(
        "useradd --create-home --shell /bin/bash vagrant",
        # Without the name of the machine that built it, the name on the kernel's command line counts.
        "rm -f /etc/hostname /etc/resolv.conf /etc/ssh/ssh_host_*",
        "systemctl enable systemd-networkd host-keys processor",
        # Debian's profiles for desktop programs take a slow machine a minute. Docker makes its own.
        "find /etc/apparmor.d -maxdepth 1 -type f -delete",
        # Debian builds User-Mode Linux without nftables for IPv4.
        "update-alternatives --set iptables /usr/sbin/iptables-legacy",
        "update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy",
        # Each machine makes an id of its own. They would have the same one otherwise.
        ": >/etc/machine-id",
    ),
)  # fmt: skip
"""What a Vagrant box has, and the packages that hosts/provision.sh would otherwise install."""


@dataclass(frozen=True)
class Image:
    """A raw disk that machines only read, and the kernel that runs it: a program, with the disk's modules."""

    disk: Path
    kernel: Path


def build() -> Image:
    """Return the image, built unless it is cached. It takes about a minute."""
    folder = go_build.once(RECIPE.key, _build, kind="vm")
    return Image(disk=folder / "disk.raw", kernel=folder / "linux")


def _build(folder: Path) -> None:
    tar = rootfs.build(RECIPE)
    with step("making a disk of it"), tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch)
        _run(["tar", "--extract", "--file", str(tar), "--directory", str(root), "--xattrs", "--xattrs-include=*"])
        # Kernel and modules are of this machine's Debian, whose C library the kernel uses.
        shutil.copytree(_MODULES, root / "usr/lib/modules", dirs_exist_ok=True)
        shutil.copy(packages.program("linux.uml"), folder / "linux")
        _run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(folder / "disk.raw"), _DISK_SIZE])
    tar.unlink()  # the disk has everything


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)
