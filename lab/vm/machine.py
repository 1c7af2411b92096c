"""One virtual machine: its files, its qemu process, and its ssh host key, which it shows on its console."""

import base64
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import namespace
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import network
from lab.vm.image import HOST_KEY_MARK, Image

_BOOT_SECONDS = 900
_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine of the lab. `memory` is in MiB, and `number` tells the machines of a lab apart, from 1."""

    lab: Lab
    name: str
    address: str
    memory: int
    number: int

    @property
    def folder(self) -> Path:
        """The folder with its disk and its process id."""
        return folder(self.lab) / self.name

    @property
    def console(self) -> Path:
        """What it has written to its serial console: the messages of its kernel and of systemd."""
        return self.lab.logs_dir / f"console-{self.name}.log"

    @property
    def tap(self) -> str:
        """Its network card's interface in the namespace."""
        return f"machine{self.number}"

    @property
    def mac(self) -> str:
        """Its network card's address."""
        return f"52:54:00:00:50:{self.number:02x}"

    def start(self, image: Image, public_key: str) -> None:
        """Start it from the image, with a disk of its own, unless it is running.

        `public_key` may then log in as `vagrant`.
        """
        if self.is_running():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.lab.logs_dir.mkdir(parents=True, exist_ok=True)
        self.console.unlink(missing_ok=True)
        network.plug(self.lab, self.tap)
        disk = self.folder / "disk.qcow2"
        create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image.disk), str(disk)]
        subprocess.run(create, check=True)
        with (self.folder / "qemu.log").open("w") as log:
            subprocess.Popen(
                namespace.command(self.lab, self.command(image, disk, public_key)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def command(self, image: Image, disk: Path, public_key: str) -> list[str]:
        """Return qemu's command line."""
        return [
            "qemu-system-x86_64", "-name", self.name, "-nodefaults", "-no-user-config", "-display", "none",
            # Software emulation, since not every machine lets a program use its virtualization.
            "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max",
            # One processor, whatever the settings say: with two, the emulated kernel crashed where it patches itself.
            "-smp", "1", "-m", str(self.memory),
            "-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", self._kernel_options(public_key),
            # The disk is thrown away with the machine, so nothing has to survive a crash of qemu.
            "-drive", f"file={disk},if=virtio,cache=unsafe,discard=unmap",
            "-netdev", f"tap,id=lan,ifname={self.tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=lan,mac={self.mac}",
            "-device", "virtio-rng-pci",
            "-serial", f"file:{self.console}",
            "-pidfile", str(self.folder / "pid"),
        ]  # fmt: skip

    def _kernel_options(self, public_key: str) -> str:
        """Return the kernel's command line. Systemd takes name, address and the key from it."""
        files = (
            f"f+ /etc/hosts 0644 root root - 127.0.0.1 localhost\\n127.0.1.1 {self.name}\\n\n"
            "d /home/vagrant/.ssh 0700 vagrant vagrant\n"
            f"f /home/vagrant/.ssh/authorized_keys 0600 vagrant vagrant - {public_key}\n"
        )
        return " ".join(
            [
                "root=/dev/vda rw console=ttyS0",
                f"systemd.hostname={self.name}",
                f"ip={self.address}::{network.ADDRESS}:{network.NETMASK}:{self.name}::none",
                f"systemd.set_credential_binary=tmpfiles.extra:{base64.b64encode(files.encode()).decode()}",
            ]
        )

    def host_key(self) -> str:
        """Wait until the machine has shown its ssh host key on its console, and return the key's type and text.

        Raises:
            LabError: it ended, or showed none within 15 minutes; with the end of its console.
        """
        deadline = time.monotonic() + _BOOT_SECONDS
        while True:
            shown = self._shown()
            if key := re.search(rf"{HOST_KEY_MARK}(ssh-ed25519 [A-Za-z0-9+/=]+)", shown):
                return key[1]
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} did not start within {_BOOT_SECONDS} s:\n{shown[-2000:]}")
            if (self.folder / "pid").exists() and not self.is_running():
                raise LabError(f"{self.name} ended: {(self.folder / 'qemu.log').read_text()}\n{shown[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def is_running(self) -> bool:
        """Return whether its qemu is running."""
        return _pid(self.folder) is not None

    def _shown(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""


def of(lab: Lab, hosts: list[Mapping[str, Any]]) -> list[Machine]:
    """Return the machines of these hosts, as the settings list them."""
    return [
        Machine(
            lab=lab,
            name=host["name"],
            address=host["address"],
            memory=host.get("memory", 2048),
            number=number,
        )
        for number, host in enumerate(hosts, start=1)
    ]


def folder(lab: Lab) -> Path:
    """Return the folder with the files of all machines of a lab."""
    return lab.machine_dir / "machines"


def remove_all(lab: Lab) -> None:
    """End all machines of the lab, and remove their disks."""
    for each in folder(lab).glob("*"):
        while (pid := _pid(each)) is not None:
            os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
    shutil.rmtree(folder(lab), ignore_errors=True)


def _pid(folder: Path) -> int | None:
    """Return the process id of the qemu whose files are in this folder, or None if it does not run."""
    try:
        pid = int((folder / "pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):  # it has ended, or has not started
        return None
    return pid if str(folder / "pid").encode() in words else None
