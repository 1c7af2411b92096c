"""Turn a new machine into a host with hosts/provision.sh, in the way of the Vagrantfile's provisioners."""

import subprocess
import time
from pathlib import Path

from components.ssh import SshTarget
from lab import login, namespace
from lab.packages import LabError
from lab.vm.machine import Machine

_FILES = ("hosts/container/daemon.json", "hosts/container/sshd.conf", "hosts/provision.sh")
_LOGIN_SECONDS = 600


def key_pair(folder: Path) -> str:
    """Create the lab's ssh key pair in the folder, unless it exists, and return the public key."""
    key = folder / "id_ed25519"
    if not key.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "swarm-transfer", "-f", str(key)]
        subprocess.run(command, check=True)
    return key.with_suffix(".pub").read_text().strip()


def record_host_keys(machines: list[Machine], known_hosts: Path) -> None:
    """Write the host keys that the machines show on their consoles, and no others."""
    lines = [f"{machine.address} {machine.host_key()}\n" for machine in machines]
    known_hosts.write_text("".join(lines))


def provision(machine: Machine, public_key: str) -> None:
    """Copy the files that hosts/provision.sh reads to the machine, and run it as root.

    Raises:
        LabError: the machine did not let us in, or the script failed.
    """
    checkout, target = machine.lab.checkout, login.target(machine.lab, machine.address)
    _wait_for_login(machine, target)
    files = [str(checkout / file) for file in _FILES]
    _run(machine, ["scp", "-q", *target.options, *files, f"{target.login}:/tmp/"])
    script = f"sudo bash /tmp/provision.sh '{public_key}'"
    _run(machine, ["ssh", *target.options, target.login, script])


def _wait_for_login(machine: Machine, target: SshTarget) -> None:
    """Wait until the machine accepts the key. The host key is on its console before the server listens."""
    deadline = time.monotonic() + _LOGIN_SECONDS
    command = namespace.command(machine.lab, ["ssh", *target.options, target.login, "true"])
    while (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
        if time.monotonic() > deadline:
            raise LabError(f"{machine.name} lets nobody in: {done.stderr.strip()}")
        time.sleep(1)


def _run(machine: Machine, command: list[str]) -> None:
    done = subprocess.run(
        namespace.command(machine.lab, command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"{machine.name}: {command[0]} failed: {done.stdout}{done.stderr}")
