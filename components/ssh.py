"""Asking a host a question by ssh, as the program needs before and after it changes something.

Changes are made by resources; this runs read-only scripts only.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECT_TIMEOUT = 15
"""Seconds to wait for a host's ssh server."""


class SshError(Exception):
    """A script could not be run, or failed; the text is ssh's own last words."""


@dataclass(frozen=True, kw_only=True)
class SshTarget:
    """One host as ssh sees it; `host_key` is «TYPE BASE64», the only key that is accepted."""

    name: str
    address: str
    user: str
    private_key_file: Path
    known_hosts_file: Path
    host_key: str

    @property
    def options(self) -> list[str]:
        """Options for the ssh client: this key, this known host, never a question."""
        return [
            "-i", str(self.private_key_file),
            "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={self.known_hosts_file}",
            "-o", "StrictHostKeyChecking=yes",
            "-o", "BatchMode=yes",
            "-o", f"ConnectTimeout={CONNECT_TIMEOUT}",
            "-o", "ServerAliveInterval=15",
        ]  # fmt: skip


def known_host_key(known_hosts_file: Path, address: str) -> str:
    """The recorded key of an address as «TYPE BASE64», Ed25519 first; empty if there is none."""
    done = subprocess.run(
        ["ssh-keygen", "-F", address, "-f", str(known_hosts_file)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split()[1:3] for line in done.stdout.splitlines() if not line.startswith(("#", "@"))]
    keys = [" ".join(line) for line in lines]
    return min(keys, key=lambda key: (not key.startswith("ssh-ed25519 "), key), default="")


def ask(target: SshTarget, script: str, *, timeout: int = 60, prefix: Sequence[str] = ()) -> str:
    """Run a read-only shell script on the host and return what it prints; `prefix` is put before the ssh command.

    Raises:
        SshError: the host cannot be reached, is not the one recorded, or the script failed.
    """
    command = [*prefix, "ssh", *target.options, f"{target.user}@{target.address}", "sh", "-s"]
    try:
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise SshError(f"no answer within {timeout} s") from None
    if done.returncode:
        raise SshError(done.stderr.strip() or f"the script ended with status {done.returncode}")
    return done.stdout
