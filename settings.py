"""The stack's configuration as frozen, validated settings: the only reader of Pulumi's config.

Every value is checked before the first resource is registered. An error names the key, the value and the remedy.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pulumi
from pulumi.runtime import config as pulumi_config
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

import images
from components.ssh import SshTarget, known_host_key
from settings_errors import problem, secret_remedy

PROJECT = "swarm-transfer"

_HOST_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_MAX_REPLICAS = 1000
_MIN_PASSWORD = 12


class SettingsError(pulumi.RunError):
    """The configuration cannot be used; one line a problem."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Host(_Settings):
    """One machine of the cluster; the Vagrantfile reads `cpus` and `memory` (MB), the program the rest."""

    name: Annotated[str, Field(pattern=_HOST_NAME)]
    address: IPv4Address
    role: Literal["manager", "worker"]
    cpus: Annotated[int, Field(ge=1)] = 1
    memory: Annotated[int, Field(ge=512)] = 2048
    labels: Mapping[str, str] = Field(default_factory=dict)


class Ssh(_Settings):
    """How every host is reached; only the host keys in `known_hosts_file` are accepted."""

    user: str = "vagrant"
    private_key_file: Path
    known_hosts_file: Path


class FileService(_Settings):
    """The replicated file service."""

    replicas: Annotated[int, Field(ge=1, le=_MAX_REPLICAS)] = 3
    storage_host: str | None = None
    """Name of the host that holds the files; the first manager by default."""
    max_file_bytes: Annotated[int, Field(ge=1)] = 64 * 2**30


class Network(_Settings):
    """The overlay network that all services share."""

    subnet: IPv4Network = IPv4Network("10.0.10.0/24")
    encrypted: bool = False


class Images(_Settings):
    """References of the upstream images; `images.py` has the pinned defaults."""

    haproxy: str = images.HAPROXY
    python: str = images.PYTHON


class Registry(_Settings):
    """Where our own images are pushed, once; without it they are built on every host that runs them."""

    address: str
    username: str = ""
    password: SecretStr = SecretStr("")


class Settings(_Settings):
    """All settings of one stack."""

    private_cidr: IPv4Network
    hosts: tuple[Host, ...]
    ssh: Ssh
    operator_password: SecretStr
    network: Network = Network()
    file_service: FileService = FileService()
    images: Images = Images()
    registry: Registry | None = None
    edge_port: Annotated[int, Field(ge=1, le=65535)] = 5001
    ready_timeout: Annotated[int, Field(ge=1)] = 300
    """Seconds that `pulumi up` waits for a service to run as asked."""

    @property
    def managers(self) -> tuple[Host, ...]:
        """The hosts with role manager; the first one is where the cluster is made and commanded."""
        return tuple(host for host in self.hosts if host.role == "manager")

    @property
    def storage_host(self) -> str:
        """Name of the host that holds the files."""
        return self.file_service.storage_host or self.managers[0].name

    @field_validator("hosts")
    @classmethod
    def _distinct_and_led(cls, hosts: tuple[Host, ...]) -> tuple[Host, ...]:
        for field in ("name", "address"):
            for value, count in Counter(str(getattr(host, field)) for host in hosts).items():
                if count > 1:
                    raise ValueError(f"{count} hosts have the {field} «{value}»: give each host its own {field}")
        if not any(host.role == "manager" for host in hosts):
            raise ValueError("no host has the role manager: set `role: manager` on one (or three) of them")
        return hosts

    @field_validator("operator_password")
    @classmethod
    def _strong_and_printable(cls, password: SecretStr) -> SecretStr:
        if len(password) < _MIN_PASSWORD:
            raise ValueError(f"has {len(password)} characters, fewer than {_MIN_PASSWORD}: choose another password")
        if not re.fullmatch(r"[!-&(-~]+", password.get_secret_value()):
            raise ValueError("has a blank, a quote (') or a character outside ASCII: choose another password")
        return password

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for host in self.hosts:
            if host.address not in self.private_cidr:
                raise ValueError(
                    f"hosts: address «{host.address}» of «{host.name}» is outside private_cidr "
                    f"«{self.private_cidr}»: change the address or private_cidr"
                )
        if self.private_cidr.overlaps(self.network.subnet):
            raise ValueError(
                f"network.subnet: «{self.network.subnet}» overlaps private_cidr «{self.private_cidr}»: "
                "choose another subnet"
            )
        if self.storage_host not in {host.name for host in self.hosts}:
            raise ValueError(
                f"file_service.storage_host: no host is named «{self.storage_host}»: use a name from hosts"
            )
        return self


def load() -> Settings:
    """Read and validate the current stack's configuration.

    Raises:
        SettingsError: something is missing, unknown or invalid; every problem is listed.
    """
    values = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    settings = parse(
        {
            key.removeprefix(f"{PROJECT}:"): _decode(value, secret=pulumi_config.is_config_secret(key))
            for key, value in values.items()
            if key.startswith(f"{PROJECT}:")
        }
    )
    for key in ("operator_password",):
        if not pulumi_config.is_config_secret(f"{PROJECT}:{key}"):
            raise SettingsError(f"{PROJECT}:{key} is stored in the clear: {secret_remedy(PROJECT, key)}")
    return settings


def parse(values: Mapping[str, Any]) -> Settings:
    """Validate plain values, keyed as in the stack's file without the project's prefix.

    Raises:
        SettingsError: as `load`.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # Values are not shown by pydantic's own text: it would print secrets.
        problems = [problem(PROJECT, _fields_at, **detail) for detail in error.errors(include_url=False)]
        raise SettingsError("the stack's configuration cannot be used:\n  " + "\n  ".join(problems)) from None


def secret(value: SecretStr) -> pulumi.Output[str]:
    """A secret setting as Pulumi carries it: encrypted in state, hidden in output."""
    return pulumi.Output.secret(value.get_secret_value())


def ssh_targets(settings: Settings) -> dict[str, SshTarget]:
    """Every host as ssh sees it, by name.

    Raises:
        SettingsError: a key file is missing, or a host's key is not known.
    """
    ssh = settings.ssh
    for field in ("private_key_file", "known_hosts_file"):
        if not getattr(ssh, field).is_file():
            raise SettingsError(f"{PROJECT}:ssh.{field}: no file «{getattr(ssh, field)}»: `vagrant up` writes it")
    keys = {host.name: known_host_key(ssh.known_hosts_file, str(host.address)) for host in settings.hosts}
    unknown = [
        f"{PROJECT}:ssh.known_hosts_file: «{ssh.known_hosts_file}» has no key of {host.name} ({host.address}): "
        f"run `vagrant up {host.name}`, or add the key that the host's owner gives you"
        for host in settings.hosts
        if not keys[host.name]
    ]
    if unknown:
        raise SettingsError("\n".join(unknown))
    return {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user=ssh.user,
            private_key_file=ssh.private_key_file.resolve(),
            known_hosts_file=ssh.known_hosts_file.resolve(),
            host_key=keys[host.name],
        )
        for host in settings.hosts
    }


def _decode(value: Any, *, secret: bool) -> Any:  # noqa: ANN401 - Pulumi hands over strings, of JSON for objects
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    # A secret is never shown, not even one under a key that does not exist.
    return SecretStr(value) if secret else value


def _fields_at(loc: tuple[int | str, ...]) -> list[str]:
    """Names of the settings that are valid at a location such as ("hosts", 0)."""
    models: dict[int | str, type[BaseModel]] = {
        "hosts": Host,
        "ssh": Ssh,
        "network": Network,
        "file_service": FileService,
        "images": Images,
        "registry": Registry,
    }
    return list((models[loc[0]] if loc else Settings).model_fields)
