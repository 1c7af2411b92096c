"""Access to a host by ssh: the client's options, and scripts before and after a deployment.

In the program, only resources change a host, and `ask` is for scripts that change nothing. The commands in
`operations/` also use it to change hosts.
"""

import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PORT = 22
"""The port of an ssh server, unless another one is set."""

CONNECT_TIMEOUT = 15
"""How long to wait for the ssh server of a host that is not slow, in seconds."""

ALIVE_INTERVAL = 15
"""How long a host that is not slow may be silent before ssh asks it to answer, in seconds. It asks three times."""

_RETRY = """gone=$1
shift
if grep -qsxF -e "$0" "$gone"; then exit 0; fi
attempts=0
until ssh "$@"; do
  status=$?
  attempts=$((attempts + 1))
  if [ "$status" -ne 255 ] || [ "$attempts" -ge 5 ]; then exit "$status"; fi
  sleep "$attempts"
done"""


class SshError(Exception):
    """A script could not run, or it failed; the text is what ssh or the script wrote to standard error."""


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A machine through which hosts are reached. It accepts the same key, and its host key is recorded too."""

    address: str
    user: str
    port: int = PORT


@dataclass(frozen=True, kw_only=True)
class SshTarget:
    """How to reach one host by ssh.

    The two paths stay as they are in the settings, relative or beginning with `~`, so that Pulumi's state has the same
    text for every operator and every checkout. `host_key` is the host's public key, as "TYPE BASE64", if the program
    knows it, and needs no entry in the known-hosts file.
    """

    name: str
    address: str
    user: str
    private_key_file: Path
    known_hosts_file: Path
    port: int = PORT
    jump: Jump | None = None
    host_key: str = ""
    patience: int = 1
    """A factor for slow hosts, of the times to connect and to answer and of the time that `ask` waits."""

    @property
    def login(self) -> str:
        """The ssh client's destination, USER@ADDRESS."""
        return f"{self.user}@{self.address}"

    @property
    def options(self) -> list[str]:
        """The ssh client's options. They are the same for preflight, commands and the docker provider."""
        options = self._verified
        if self.host_key:
            # ssh puts the name under which it looks for the key in place of %H. It starts the command without a shell,
            # and only by its whole path; `echo` itself is not in the same folder everywhere.
            options += ["-o", f"KnownHostsCommand=/usr/bin/env echo %H {self.host_key}"]
        if self.port != PORT:
            options += ["-o", f"Port={self.port}"]
        if self.jump:
            # ProxyJump would reach the jump host with other options: any key, and any recorded host key.
            words = ["ssh", *self._verified, "-p", str(self.jump.port), f"{self.jump.user}@{self.jump.address}"]
            options += ["-o", f"ProxyCommand={shlex.join(words).replace('%', '%%')} -W %h:%p"]
        return options

    @property
    def _verified(self) -> list[str]:
        """Options for this key only, recorded host keys only, and no prompts."""
        return [
            "-i", str(self.private_key_file),
            "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={self.known_hosts_file}",
            "-o", "GlobalKnownHostsFile=none",
            "-o", "StrictHostKeyChecking=yes",
            "-o", "BatchMode=yes",
            "-o", f"ConnectTimeout={CONNECT_TIMEOUT * self.patience}",
            "-o", f"ServerAliveInterval={ALIVE_INTERVAL * self.patience}",
        ]  # fmt: skip


def interpreter(target: SshTarget, stack: str) -> list[str]:
    """Return the command line that runs the script which follows it on the host.

    It retries four times if the connection fails (status 255): an ssh server refuses clients while ten others are
    logging in, and a host that has just booted does not listen yet. For a host that is gone it does nothing, with
    success. Pulumi runs what a host's resources once were to do when they are deleted, and has no other way to skip it.
    """
    return ["sh", "-c", _RETRY, target.login, str(_gone_file(stack)), *target.options, target.login]


def record_gone(targets: Iterable[SshTarget], stack: str) -> None:
    """Make these the stack's only hosts on which `interpreter` runs nothing."""
    file = _gone_file(stack)
    if text := "".join(f"{target.login}\n" for target in targets):
        file.write_text(text)
    else:
        file.unlink(missing_ok=True)


def _gone_file(stack: str) -> Path:
    """Return the file with the hosts that are gone, one USER@ADDRESS a line: in the folder in which Pulumi runs."""
    return Path(f".gone-hosts-{stack}")


def needs_passphrase(private_key_file: Path) -> bool:
    """Return whether the key has a passphrase and no agent has the key, so that ssh would have to ask for it."""
    path = str(private_key_file.expanduser())
    read = subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "passphrase" not in read.stderr:
        return False
    fingerprint = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, check=False).stdout
    offered = subprocess.run(["ssh-add", "-l"], capture_output=True, text=True, check=False).stdout
    return not set(fingerprint.split()[1:2]) & set(offered.split())


def knows_host(known_hosts_file: Path, address: str, port: int = PORT) -> bool:
    """Return whether the file records a host key of this address and port."""
    recorded = address if port == PORT else f"[{address}]:{port}"
    search = ["ssh-keygen", "-F", recorded, "-f", str(known_hosts_file.expanduser())]
    return subprocess.run(search, capture_output=True, check=False).returncode == 0


def ask(target: SshTarget, script: str, *, timeout: int = 60, prefix: Sequence[str] = ()) -> str:
    """Run a shell script on the host and return its output.

    `timeout` is in seconds, for a host that is not slow. `prefix` is a command line that runs the ssh command.

    Raises:
        SshError: the host cannot be reached, its host key is not the recorded one, or the script failed.
    """
    timeout *= target.patience
    try:
        done = subprocess.run(
            [*prefix, *_shell(target)], input=script, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise SshError(f"no answer within {timeout} s") from None
    if done.returncode:
        raise SshError(done.stderr.strip() or f"the script ended with status {done.returncode}")
    return done.stdout


def show(target: SshTarget, script: str) -> int:
    """Run a shell script on the host, show its output and its errors as they come, and return its status."""
    return subprocess.run(_shell(target), input=script, text=True, check=False).returncode


def _shell(target: SshTarget) -> list[str]:
    """Return the command that runs the script on its standard input on the host."""
    return ["ssh", *target.options, target.login, "sh", "-s"]
