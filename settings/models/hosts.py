"""The machines of the cluster, and how they are reached."""

from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.ssh import PORT
from settings.models.base import Model, matching

_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_NAME_LENGTH = 38
"""The name is part of the names of services and secrets, which Swarm limits to 63 characters."""

_JUMP = r"[^\s@:-][^\s@:]*@[A-Za-z0-9][A-Za-z0-9.-]*(:[1-9][0-9]{0,4})?"


class Host(Model):
    """One machine of the cluster; the Vagrantfile reads `cpus` and `memory` (MB), the program the rest."""

    name: Annotated[
        str, Field(max_length=_NAME_LENGTH), matching(_NAME, "lower-case letters, digits and inner hyphens")
    ]
    address: IPv4Address
    role: Literal["manager", "worker"]
    cpus: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[int, Field(ge=512)] = 2048
    labels: Mapping[str, str] = Field(default_factory=dict)
    state: Literal["active", "gone"] = "active"
    """A host that is gone is lost for good: nothing is asked of it, and the swarm forgets it."""


def _distinct_and_led(hosts: tuple[Host, ...]) -> tuple[Host, ...]:
    for field in ("name", "address"):
        for value, count in Counter(str(getattr(host, field)) for host in hosts).items():
            if count > 1:
                raise ValueError(f'{count} hosts have the {field} "{value}": give each host its own {field}')
    managers = [host for host in hosts if host.role == "manager"]
    if not managers:
        raise ValueError("no host has the role manager: set `role: manager` on one (or three) of them")
    if all(host.state == "gone" for host in managers):
        raise ValueError(
            f"every manager has `state: gone` ({', '.join(host.name for host in managers)}): without a manager "
            'there is no swarm to go on with; see "The last manager is lost" in docs/operations/hosts.md'
        )
    return hosts


Hosts = Annotated[tuple[Host, ...], AfterValidator(_distinct_and_led)]
"""All machines. Their names and addresses differ, and one of those that are not gone is a manager."""


class Ssh(Model):
    """How every host is reached; only the host keys in `known_hosts_file` are accepted."""

    user: str = "vagrant"
    private_key_file: Path
    known_hosts_file: Path
    port: Annotated[int, Field(ge=1, le=65535)] = PORT
    jump: Annotated[str, matching(_JUMP, "USER@ADDRESS or USER@ADDRESS:PORT")] | None = None
    """A machine through which all hosts are reached, as USER@ADDRESS or USER@ADDRESS:PORT."""
