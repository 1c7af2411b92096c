"""Where a lab keeps its things.

A checkout may be deleted while its lab runs, so what the kernel holds open (engine data, sockets, pid files)
lives outside the checkout; keys, configuration and Pulumi's state live in the checkout's ignored folder.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

MACHINE_DIR = Path("/var/lib/swarm-transfer-lab")


def cache_dir() -> Path:
    """The folder for slow-built things that all labs and checkouts of this user share."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "swarm-transfer"


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One lab: its own network namespace, engine, hosts and state. `name` is «demo» or «test»."""

    name: str
    checkout: Path

    @property
    def id(self) -> str:
        """Unique on the machine: name and checkout."""
        digest = hashlib.sha256(str(self.checkout.resolve()).encode()).hexdigest()
        return f"{self.name}-{digest[:8]}"

    @property
    def namespace(self) -> str:
        """Name of the network namespace."""
        return f"swarm-{self.id}"

    @property
    def machine_dir(self) -> Path:
        """Engine data, sockets and pid files: outlives the checkout."""
        return MACHINE_DIR / self.id

    @property
    def local_dir(self) -> Path:
        """Keys, configuration, passphrase, Pulumi state and logs: inside the checkout, ignored by git."""
        return self.checkout / ".local" / "lab" / self.name

    @property
    def engine_socket(self) -> Path:
        """Socket of the Docker Engine that runs the hosts."""
        return self.machine_dir / "docker.sock"

    @property
    def ssh_dir(self) -> Path:
        """Key pair and recorded host keys of this lab's hosts."""
        return self.local_dir / "ssh"

    @property
    def config_file(self) -> Path:
        """The composed stack configuration, also read by the Vagrantfile."""
        return self.local_dir / "Pulumi.lab.yaml"

    @property
    def own_settings_file(self) -> Path | None:
        """The user's own settings, which only the demo has; ignored by git, and perhaps not there."""
        return self.checkout / "demo.yaml" if self.name == "demo" else None

    @property
    def mode_file(self) -> Path:
        """Where it is kept whether this lab is online or offline, as long as it exists."""
        return self.local_dir / "mode"

    @property
    def is_online(self) -> bool:
        """Whether the hosts run on the machine's own Docker Engine, in its own network."""
        return self.mode_file.exists() and self.mode_file.read_text().strip() == "online"

    @property
    def logs_dir(self) -> Path:
        """Logs of the lab's own processes."""
        return self.local_dir / "logs"
