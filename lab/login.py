"""How a lab's own commands log in to its hosts. Pulumi does the same, by the settings."""

from components.ssh import SshTarget
from lab import configuration
from lab.paths import Lab

USER = "vagrant"


def target(lab: Lab, address: str) -> SshTarget:
    """Return the host with this address as ssh sees it."""
    return SshTarget(
        name=address,
        address=address,
        user=USER,
        private_key_file=lab.ssh_dir / "id_ed25519",
        known_hosts_file=lab.ssh_dir / "known_hosts",
        patience=int(configuration.read(lab).get("patience", 1)),
    )
