"""The folders and files of a lab.

A checkout may be deleted while its lab runs, so the running engine's data, sockets and pid files are outside the
checkout. Keys, configuration and Pulumi's state are in a folder of the checkout that git ignores.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

MACHINE_DIR = Path("/var/lib/swarm-transfer-lab")


def cache_dir() -> Path:
    """Return the folder for things that are slow to build, shared by all labs and checkouts of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "swarm-transfer"


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One lab, with its own network namespace, engine, hosts and state. `name` is such as "demo" or "test".

    If it is `virtual`, its hosts are virtual machines, and otherwise containers.
    """

    name: str
    checkout: Path
    virtual: bool = False

    @property
    def id(self) -> str:
        """An id that is unique on the machine: the name, and a hash of the checkout's path."""
        digest = hashlib.sha256(str(self.checkout.resolve()).encode()).hexdigest()
        return f"{self.name}-{digest[:8]}"

    @property
    def namespace(self) -> str:
        """The name of the network namespace."""
        return f"swarm-{self.id}"

    @property
    def machine_dir(self) -> Path:
        """The folder for engine data, sockets and pid files, which outlives the checkout."""
        return MACHINE_DIR / self.id

    @property
    def local_dir(self) -> Path:
        """The folder for keys, configuration, passphrase, Pulumi state and logs: in the checkout, ignored by git."""
        return self.checkout / ".local" / "lab" / self.name

    @property
    def engine_socket(self) -> Path:
        """The socket of the Docker Engine that runs the hosts."""
        return self.machine_dir / "docker.sock"

    @property
    def ssh_dir(self) -> Path:
        """The folder with the key pair and the recorded host keys of this lab's hosts."""
        return self.local_dir / "ssh"

    @property
    def config_file(self) -> Path:
        """The merged stack configuration. The Vagrantfile reads it too."""
        return self.local_dir / "Pulumi.lab.yaml"

    @property
    def own_settings_file(self) -> Path | None:
        """The user's own settings, which only the demo has. Git ignores the file, and it may not exist."""
        return self.checkout / "demo.yaml" if self.name == "demo" else None

    @property
    def mode_file(self) -> Path:
        """The file that records whether this lab is online or offline."""
        return self.local_dir / "mode"

    @property
    def logs_dir(self) -> Path:
        """The folder for the logs of the lab's own processes."""
        return self.local_dir / "logs"
