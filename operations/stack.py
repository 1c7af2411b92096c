"""The stack that an operation is for: its hosts, as Pulumi's configuration has them, and the Pulumi CLI."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import TypeAdapter

from components.ssh import SshError, SshTarget
from settings.errors import PROJECT
from settings.models import Host, Ssh
from settings.ssh_targets import targets_of

OBJECTS = {
    "docker:index/network:Network": "network",
    "docker:index/secret:Secret": "secret",
    "docker:index/service:Service": "service",
    "docker:index/serviceConfig:ServiceConfig": "config",
}
"""The types of resources that are the swarm's, and what `docker ... rm` calls each."""


class OperationError(Exception):
    """An operation is refused, or has failed. The text is for the person who runs it."""


@dataclass(frozen=True)
class ConfiguredHosts:
    """The settings `hosts` and `autolock`, and how to reach each host by its name."""

    hosts: list[Host]
    targets: dict[str, SshTarget]
    autolock: bool = False

    @property
    def managers(self) -> list[SshTarget]:
        """How to reach the managers that are not gone."""
        return [self.targets[host.name] for host in self.hosts if host.role == "manager" and host.state == "active"]


def configured_hosts() -> ConfiguredHosts:
    """Return the hosts of the selected stack.

    Raises:
        OperationError: the settings are not valid, or no stack is selected.
    """
    found = json.loads(pulumi("config", "--json"))
    try:
        hosts = TypeAdapter(list[Host]).validate_python(found[f"{PROJECT}:hosts"]["objectValue"])
        ssh = Ssh.model_validate(found[f"{PROJECT}:ssh"]["objectValue"])
        patience = int(found.get(f"{PROJECT}:patience", {"value": "1"})["value"])
    except (KeyError, ValueError):  # pydantic's error is a ValueError
        raise OperationError(
            "the settings `hosts`, `ssh` and `patience` are not valid: `pulumi preview` says why"
        ) from None
    autolock = found.get(f"{PROJECT}:autolock", {}).get("value") == "true"
    return ConfiguredHosts(hosts, targets_of(hosts, ssh, patience=patience), autolock)


def pulumi(*arguments: str, stdin: str | None = None) -> str:
    """Run the Pulumi CLI and return its output.

    Raises:
        OperationError: it failed.
    """
    done = subprocess.run(["pulumi", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"`pulumi {' '.join(arguments)}` failed: {done.stderr.strip() or _errors(done.stdout)}")
    return done.stdout


def _errors(printed: str) -> str:
    """Return the errors in what a command with `--json` printed, which leaves standard error empty."""
    try:
        diagnostics = json.loads(printed)["diagnostics"]
    except (ValueError, KeyError, TypeError):
        return printed.strip()
    errors = [each["message"].strip() for each in diagnostics if each["severity"] == "error"]
    return "\n".join(dict.fromkeys(errors))


def exit_status(operation: Callable[[], None]) -> int:
    """Run an operation, print an expected failure as one clear message, and return the command's exit status."""
    try:
        operation()
    except (OperationError, SshError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    return 0
