"""One virtual machine: its files, its kernel's process, and its ssh host key, which it shows on its console.

Its kernel is User-Mode Linux: Linux as a program. It needs no hardware virtualization, and runs the machine's programs
on the real processor, so it is much faster than an emulator. Only system calls and page faults are slow.
"""

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

_CARD = "vec0"
"""Its network card. The kernel knows what kind of card it is by this name."""
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - it is User-Mode Linux that puts files there
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
        """What it has written to its console: the messages of its kernel and of systemd."""
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
        with self.console.open("w") as console:
            kernel = subprocess.Popen(
                namespace.command(self.lab, self.command(image, public_key)),
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        (self.folder / "pid").write_text(f"{kernel.pid}\n")

    def command(self, image: Image, public_key: str) -> list[str]:
        """Return the command line of its kernel."""
        return [
            str(image.kernel), f"mem={self.memory}M",
            f"umid={self.name}", f"uml_dir={self.folder}/",
            # What it writes goes into a file of its own.
            f"ubd0={self.folder / 'disk.cow'},{image.disk}", "root=/dev/ubda", "rw", "security=apparmor",
            f"{_CARD}:transport=tap,ifname={self.tap},mac={self.mac}",
            # Its console is this process's output. It has no other terminals.
            "con=null", "con0=null,fd:1", "ssl=null",
            f"systemd.hostname={self.name}",
            *(f"systemd.set_credential_binary={name}:{base64.b64encode(text.encode()).decode()}"
              for name, text in self._credentials(public_key).items()),
        ]  # fmt: skip

    def _credentials(self, public_key: str) -> dict[str, str]:
        """Return what systemd makes files of: its network, its name's address, and who may log in."""
        address = f"{self.address}/{network.PREFIX_LENGTH}"
        return {
            "network.network.lan": f"[Match]\nName={_CARD}\n[Network]\nAddress={address}\n",
            "tmpfiles.extra": (
                f"f+ /etc/hosts 0644 root root - 127.0.0.1 localhost\\n127.0.1.1 {self.name}\\n\n"
                "d /home/vagrant/.ssh 0700 vagrant vagrant\n"
                f"f /home/vagrant/.ssh/authorized_keys 0600 vagrant vagrant - {public_key}\n"
            ),
        }

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
                raise LabError(f"{self.name} ended:\n{shown[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def is_running(self) -> bool:
        """Return whether its kernel is running."""
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


def require_memory(machines: list[Machine]) -> None:
    """Check that there is room for the machines' memory, which User-Mode Linux keeps in files in /dev/shm.

    Raises:
        LabError: there is not.
    """
    usage = shutil.disk_usage(_MEMORY_FOLDER)
    needed, free, used = sum(machine.memory for machine in machines), usage.free // 2**20, -(-usage.used // 2**20)
    if free < needed:
        raise LabError(
            f"{_MEMORY_FOLDER} has {free} MiB free, and the machines need {needed}: make it larger with "
            f"`mount -o remount,size={used + needed}m {_MEMORY_FOLDER}`, or lower `memory` in Pulumi.lab.yaml"
        )


def folder(lab: Lab) -> Path:
    """Return the folder with the files of all machines of a lab."""
    return lab.machine_dir / "machines"


def remove_all(lab: Lab) -> None:
    """End all machines of the lab, and remove their disks."""
    for each in folder(lab).glob("*"):
        while (pid := _pid(each)) is not None:
            os.killpg(pid, signal.SIGKILL)  # its programs are processes of the same group
            time.sleep(_POLL_SECONDS)
    shutil.rmtree(folder(lab), ignore_errors=True)


def _pid(folder: Path) -> int | None:
    """Return the process id of the kernel whose files are in this folder, or None if it does not run."""
    try:
        pid = int((folder / "pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):  # it has ended, or has not started
        return None
    return pid if f"uml_dir={folder}/".encode() in words else None
