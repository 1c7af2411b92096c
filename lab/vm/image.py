"""The disk that every virtual machine starts from: Debian 13 with its kernel, built from packages once and cached."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import go_build, local_registry, rootfs
from lab.progress import step
from lab.rootfs import Recipe

HOST_KEY_MARK = "swarm-transfer host key: "
"""What a machine writes to its console before its ssh host key, at every start."""

_DISK_SIZE = "16G"

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

RECIPE = Recipe(
    name="vm",
    packages=(
        "apparmor", "bash", "ca-certificates", "curl", "dbus", "docker-cli", "docker.io", "ethtool", "iproute2",
        "iptables", "kmod", "linux-image-amd64", "openssh-server", "procps", "sudo", "systemd", "systemd-sysv", "udev",
        "zstd",
    ),
    files=(
        ("/etc/fstab", "/dev/vda / ext4 defaults 0 1"),
        ("/etc/sudoers.d/vagrant", "vagrant ALL=(ALL) NOPASSWD:ALL"),
        ("/etc/systemd/system/host-keys.service", _HOST_KEY_UNIT),
        # The machines reach no other registry than the lab's, which has no TLS.
        ("/etc/default/docker", f'DOCKER_OPTS="--insecure-registry={local_registry.ADDRESS}"'),
    ),
    commands=(
        "useradd --create-home --shell /bin/bash vagrant",
        # Without the name of the machine that built it, the name on the kernel's command line counts.
        "rm -f /etc/hostname /etc/resolv.conf /etc/ssh/ssh_host_*",
        "systemctl enable systemd-networkd host-keys",
        # Debian's profiles for desktop programs take an emulated processor a minute. Docker makes its own.
        "find /etc/apparmor.d -maxdepth 1 -type f -delete",
        # Each machine makes an id of its own. They would have the same one otherwise.
        ": >/etc/machine-id",
    ),
)  # fmt: skip
"""What a Vagrant box has, and the packages that hosts/provision.sh would otherwise install."""


@dataclass(frozen=True)
class Image:
    """A disk in qcow2 format that machines only read, and the kernel with its initial filesystem to start it with."""

    disk: Path
    kernel: Path
    initrd: Path


def build() -> Image:
    """Return the image, built unless it is cached. It takes about a minute and a half."""
    folder = go_build.once(RECIPE.key, _build, kind="vm")
    return Image(disk=folder / "disk.qcow2", kernel=folder / "vmlinuz", initrd=folder / "initrd.img")


def _build(folder: Path) -> None:
    tar = rootfs.build(RECIPE)
    with step("making a disk of it"), tempfile.TemporaryDirectory(dir=folder) as scratch:
        root, raw = Path(scratch) / "root", Path(scratch) / "disk.raw"
        root.mkdir()
        for command in (
            ["tar", "--extract", "--file", str(tar), "--directory", str(root), "--xattrs", "--xattrs-include=*"],
            ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(raw), _DISK_SIZE],
            ["qemu-img", "convert", "-O", "qcow2", str(raw), str(folder / "disk.qcow2")],
        ):
            subprocess.run(command, check=True)
        for name in ("vmlinuz", "initrd.img"):  # links into /boot
            shutil.copy(root / name, folder / name)
    tar.unlink()  # the disk has everything
