"""The stack's configuration as frozen, validated settings: the only reader of Pulumi's config.

Every value is checked before the first resource is registered. An error names the key, the value and the remedy.
"""

import itertools
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
from components import certificate, seaweedfs
from components.ssh import SshTarget, knows_host
from monitoring.alertmanager import Receiver
from monitoring.configuration import alert_names
from settings_errors import problem, secret_remedy

PROJECT = "swarm-transfer"

DATABASE_PORTS = {"vms": 8086, "containers": 8087}
"""The two InfluxDB databases, and the host's port of each where it is published."""

PUBLISHED_PORTS = {
    **{f"influxdb-{database}": port for database, port in DATABASE_PORTS.items()},
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
}
"""What can be published, and the hosts' port of each."""

_HOST_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_MAX_REPLICAS = 1000
_MIN_PASSWORD = 12
_MIN_TOKEN = 16
_PASSWORDS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password")
_DURATION = r"^[1-9][0-9]*(s|m|h|d|w)$"


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


class Bucket(_Settings):
    """A bucket of an object store elsewhere, which speaks S3 and writes with conditions."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
    bucket: str
    region: str = "us-east-1"
    prefix: str = ""
    access_key: str


class Token(_Settings):
    """Who has this token may do what its scopes say."""

    token: SecretStr
    scopes: Annotated[tuple[Literal["read", "write", "delete"], ...], Field(min_length=1)]

    @field_validator("token")
    @classmethod
    def _long(cls, token: SecretStr) -> SecretStr:
        if len(token) < _MIN_TOKEN:
            raise ValueError(f"has {len(token)} characters, fewer than {_MIN_TOKEN}: choose another token")
        return token


class FileService(_Settings):
    """The replicated file service."""

    replicas: Annotated[int, Field(ge=1, le=_MAX_REPLICAS)] = 3
    storage: Literal["cluster", "directory", "s3"] = "cluster"
    """On the cluster's own object store, in a directory of one host, or in a bucket elsewhere."""
    copies: Annotated[int, Field(ge=1, le=3)] = 2
    """On how many hosts each file is in the cluster's object store; an upload is refused while there are fewer."""
    storage_host: str | None = None
    """Name of the host with the directory, or with the object store's index.

    By default the one that has it already, else the first manager.
    """
    s3: Bucket | None = None
    max_file_bytes: Annotated[int, Field(ge=1)] = 64 * 2**30
    quota_bytes: Annotated[int, Field(ge=0)] = 0
    """How much all files together may have; 0 for no quota."""
    min_free_bytes: Annotated[int, Field(ge=0)] = 2**30
    """What an upload leaves free on the disk of a directory."""
    grace: Annotated[int, Field(ge=10)] = 600
    """Seconds that running transfers get to end when a replica is replaced."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.storage == "s3") != (self.s3 is not None):
            raise ValueError("s3 and `storage: s3` belong together: set both, or neither")
        return self


class Network(_Settings):
    """The overlay network that all services share."""

    subnet: IPv4Network = IPv4Network("10.0.10.0/24")
    api_subnet: IPv4Network = IPv4Network("10.0.11.0/24")
    """Of the network between Prometheus and the Docker API."""
    storage_subnet: IPv4Network = IPv4Network("10.0.12.0/24")
    """Of the network between the file service and the object store."""
    encrypted: bool = False


class Monitoring(_Settings):
    """What is kept of the metrics, where, and who may look at it."""

    host: str | None = None
    """Name of the host with Prometheus and the databases; as `storage_host` by default."""
    scrape_interval: Annotated[int, Field(ge=5, le=60)] = 15
    """Seconds between two looks at every task and node."""
    retention: str = "30d"
    """How long both InfluxDBs keep what they get."""
    publish: frozenset[Literal["influxdb", "prometheus", "alertmanager", "grafana"]] = frozenset()
    """What can be reached from outside: the InfluxDBs on their host, the others on every host for the operator."""
    grafana: bool = True

    @field_validator("retention")
    @classmethod
    def _long_enough(cls, retention: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]*(h|d|w)", retention):
            raise ValueError("is not a number with h, d or w after it, such as 30d: one hour or more")
        return retention


class Alerting(_Settings):
    """Who is told, and how long something must last (`for`: alert -> duration) before anybody is."""

    receiver: Literal["none", "webhook", "email"] = "none"
    webhook_url: SecretStr = SecretStr("")
    email_to: str = ""
    email_from: str = ""
    smtp_host: str = ""
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    heartbeat_url: SecretStr = SecretStr("")
    for_: Annotated[Mapping[str, str], Field(alias="for")] = Field(default_factory=dict)

    @field_validator("for_")
    @classmethod
    def _known_and_timed(cls, durations: Mapping[str, str]) -> Mapping[str, str]:
        for name, duration in durations.items():
            if name not in alert_names():
                raise ValueError(f"no alert is named «{name}»: use one of {', '.join(alert_names())}")
            if not re.fullmatch(_DURATION, duration):
                raise ValueError(f"«{duration}» of {name} is no duration: write a number with s, m, h, d or w after it")
        return durations

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        needed = {"none": (), "webhook": ("webhook_url",), "email": ("email_to", "email_from", "smtp_host")}
        for field in needed[self.receiver]:
            if not getattr(self, field):
                raise ValueError(f"receiver {self.receiver} needs {field}: set it, or another receiver")
        for field in ("webhook_url", "heartbeat_url"):
            url = getattr(self, field).get_secret_value()
            if url and not re.match(r"https?://[^/\s]+", url):
                raise ValueError(f"{field} is no http or https address: correct it")
        if self.smtp_host and not re.fullmatch(r"[^\s:]+:\d+", self.smtp_host):
            raise ValueError(f"smtp_host «{self.smtp_host}» has no port: write it as HOST:PORT")
        return self


class Images(_Settings):
    """References of the upstream images; `images.py` has the pinned defaults."""

    alertmanager: str = images.ALERTMANAGER
    cadvisor: str = images.CADVISOR
    grafana: str = images.GRAFANA
    haproxy: str = images.HAPROXY
    influxdb: str = images.INFLUXDB
    node_exporter: str = images.NODE_EXPORTER
    prometheus: str = images.PROMETHEUS
    python: str = images.PYTHON
    seaweedfs: str = images.SEAWEEDFS


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
    influxdb_writer_password: SecretStr
    influxdb_reader_password: SecretStr
    storage_key: SecretStr | None = None
    """The secret key of the object store, of the cluster's own or of the one elsewhere."""
    tokens: Mapping[str, Token] | None = None
    """Who may use the file service, by name; without it everybody may."""
    network: Network = Network()
    file_service: FileService = FileService()
    monitoring: Monitoring = Monitoring()
    alerting: Alerting = Alerting()
    images: Images = Images()
    registry: Registry | None = None
    edge_port: Annotated[int, Field(ge=1, le=65535)] = 5001
    edge_certificate: SecretStr | None = None
    """With it the edge speaks TLS: PEM, the certificate, those between it and its root, and the private key."""
    ready_timeout: Annotated[int, Field(ge=1)] = 300
    """Seconds that `pulumi up` waits for a service to run as asked."""

    @property
    def managers(self) -> tuple[Host, ...]:
        """The hosts with role manager; the first one is where the cluster is made and commanded."""
        return tuple(host for host in self.hosts if host.role == "manager")

    def _check_storage(self) -> None:
        wanted = self.file_service
        if wanted.storage == "cluster" and wanted.copies > len(self.hosts):
            raise ValueError(
                f"file_service.copies: «{wanted.copies}» copies need as many hosts, and there are {len(self.hosts)}: "
                "lower it, or add a host"
            )
        if wanted.storage != "directory" and self.storage_key is None:
            raise ValueError(
                f"storage_key is missing, file_service.storage «{wanted.storage}» needs it: "
                f"{secret_remedy(PROJECT, 'storage_key')}"
            )

    def _check_ports(self) -> None:
        published = self.monitoring.publish
        if "grafana" in published and not self.monitoring.grafana:
            raise ValueError("monitoring.publish: grafana is not there: set monitoring.grafana, or do not publish it")
        for service, port in PUBLISHED_PORTS.items():
            if port == self.edge_port and service.split("-")[0] in published:
                raise ValueError(f"edge_port: «{port}» is published for {service}: choose another port")

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

    @field_validator(*_PASSWORDS, "storage_key")
    @classmethod
    def _strong_and_printable(cls, password: SecretStr | None) -> SecretStr | None:
        if password is None:
            return None
        if len(password) < _MIN_PASSWORD:
            raise ValueError(f"has {len(password)} characters, fewer than {_MIN_PASSWORD}: choose another password")
        if not re.fullmatch(r"[!-&(-\[\]-~]+", password.get_secret_value()):
            raise ValueError("has a blank, a quote ('), a backslash or no ASCII character: choose another password")
        return password

    @field_validator("edge_certificate")
    @classmethod
    def _usable(cls, pem: SecretStr | None) -> SecretStr | None:
        if pem is not None:
            certificate.not_after(pem.get_secret_value())
        return pem

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for host in self.hosts:
            if host.address not in self.private_cidr:
                raise ValueError(
                    f"hosts: address «{host.address}» of «{host.name}» is outside private_cidr "
                    f"«{self.private_cidr}»: change the address or private_cidr"
                )
        subnets = ("subnet", "api_subnet", "storage_subnet")
        for field in subnets:
            subnet = getattr(self.network, field)
            if self.private_cidr.overlaps(subnet):
                raise ValueError(
                    f"network.{field}: «{subnet}» overlaps private_cidr «{self.private_cidr}»: choose another subnet"
                )
        for first, second in itertools.combinations(subnets, 2):
            one, other = getattr(self.network, first), getattr(self.network, second)
            if one.overlaps(other):
                raise ValueError(f"network.{second}: «{other}» overlaps network.{first}: choose another subnet")
        self._check_ports()
        self._check_storage()
        for field, name in (
            ("file_service.storage_host", self.file_service.storage_host),
            ("monitoring.host", self.monitoring.host),
        ):
            if name is not None and name not in {host.name for host in self.hosts}:
                raise ValueError(f"{field}: no host is named «{name}»: use a name from hosts")
        return self


_MODELS: dict[int | str, type[BaseModel]] = {
    "hosts": Host,
    "ssh": Ssh,
    "network": Network,
    "file_service": FileService,
    "monitoring": Monitoring,
    "alerting": Alerting,
    "images": Images,
    "registry": Registry,
    "tokens": Token,
}
"""The settings that are objects, or lists of them, by key."""


def load() -> Settings:
    """Read and validate the current stack's configuration.

    Raises:
        SettingsError: something is missing, unknown or invalid; every problem is listed.
    """
    values = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    ours = {key.removeprefix(f"{PROJECT}:"): value for key, value in values.items() if key.startswith(f"{PROJECT}:")}
    secrets = frozenset(key for key in ours if pulumi_config.is_config_secret(f"{PROJECT}:{key}"))
    settings = parse(
        {key: _decode(key, value, secret=key in secrets) for key, value in ours.items()},
        secrets=secrets,
    )
    alerting = settings.alerting
    in_alerting = [f for f in ("webhook_url", "smtp_password", "heartbeat_url") if getattr(alerting, f)]
    optional = [key for key in ("edge_certificate", "storage_key", "tokens") if getattr(settings, key)]
    for key in (*_PASSWORDS, *optional, *(f"alerting.{field}" for field in in_alerting)):
        if key.partition(".")[0] not in secrets:
            raise SettingsError(f"{PROJECT}:{key} is stored in the clear: {secret_remedy(PROJECT, key)}")
    return settings


def parse(values: Mapping[str, Any], *, secrets: frozenset[str] = frozenset()) -> Settings:
    """Validate plain values, keyed as in the stack's file without the project's prefix.

    Nothing below the keys in `secrets` is shown in an error.

    Raises:
        SettingsError: as `load`.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        # Values are not shown by pydantic's own text: it would print secrets.
        details = [
            {**detail, "input": "(secret)"} if detail["loc"][:1] and detail["loc"][0] in secrets else detail
            for detail in error.errors(include_url=False)
        ]
        problems = [problem(PROJECT, _fields_at, **detail) for detail in details]
        raise SettingsError("the stack's configuration cannot be used:\n  " + "\n  ".join(problems)) from None


def secret(value: SecretStr) -> pulumi.Output[str]:
    """A secret setting as Pulumi carries it: encrypted in state, hidden in output."""
    return pulumi.Output.secret(value.get_secret_value())


def certificate_ends(settings: Settings) -> dict[str, int]:
    """When each certificate ends, in seconds since 1970, by its name: an alert comes two weeks before."""
    pem = settings.edge_certificate
    return {"edge": certificate.not_after(pem.get_secret_value())} if pem else {}


def expected_tasks(settings: Settings) -> dict[str, int]:
    """How many tasks each service is to have, by its name: alerts compare what runs with this."""
    nodes = len(settings.hosts)
    return {
        "files": settings.file_service.replicas,
        **_object_store_tasks(settings),
        **dict.fromkeys(("edge", "node-exporter", "cadvisor"), nodes),
        "docker-api": len(settings.managers),
        **dict.fromkeys((f"influxdb-{database}" for database in DATABASE_PORTS), 1),
        **dict.fromkeys(("alertmanager", "prometheus"), 1),
        **({"grafana": 1} if settings.monitoring.grafana else {}),
    }


def _object_store_tasks(settings: Settings) -> dict[str, int]:
    if settings.file_service.storage != "cluster":
        return {}
    masters = seaweedfs.masters([host.name for host in settings.managers])
    return {
        seaweedfs.GATEWAY: 1,
        seaweedfs.VOLUME_SERVER: len(settings.hosts),
        **dict.fromkeys((seaweedfs.master_name(host) for host in masters), 1),
    }


def tokens(settings: Settings) -> pulumi.Output[str] | None:
    """The file of tokens that the file service reads: JSON, secret."""
    if settings.tokens is None:
        return None
    listed = {
        name: {"token": token.token.get_secret_value(), "scopes": list(token.scopes)}
        for name, token in settings.tokens.items()
    }
    return pulumi.Output.secret(json.dumps(listed))


def receiver(alerting: Alerting) -> Receiver:
    """Who is told of alerts, with the secrets laid open: for Alertmanager's configuration file only."""
    return Receiver(
        kind=alerting.receiver,
        webhook_url=alerting.webhook_url.get_secret_value(),
        email_to=alerting.email_to,
        email_from=alerting.email_from,
        smtp_host=alerting.smtp_host,
        smtp_user=alerting.smtp_user,
        smtp_password=alerting.smtp_password.get_secret_value(),
        heartbeat_url=alerting.heartbeat_url.get_secret_value(),
    )


def ssh_targets(settings: Settings) -> dict[str, SshTarget]:
    """Every host as ssh sees it, by name.

    Raises:
        SettingsError: a key file is missing, or a host's key is not known.
    """
    ssh = settings.ssh
    for field in ("private_key_file", "known_hosts_file"):
        path = getattr(ssh, field)
        if not path.expanduser().is_file():
            raise SettingsError(
                f'{PROJECT}:ssh.{field}: there is no file "{path}" here: `vagrant up` writes it; for other hosts put '
                "your own file at this path, or change the path"
            )
    unknown = [
        f'{PROJECT}:ssh.known_hosts_file: "{ssh.known_hosts_file}" has no key of {host.name} ({host.address}): '
        f"run `vagrant up {host.name}`, or add the key that the host's owner gives you"
        for host in settings.hosts
        if not knows_host(ssh.known_hosts_file, str(host.address))
    ]
    if unknown:
        raise SettingsError("\n".join(unknown))
    return {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user=ssh.user,
            private_key_file=ssh.private_key_file,
            known_hosts_file=ssh.known_hosts_file,
        )
        for host in settings.hosts
    }


def _decode(key: str, value: str, *, secret: bool) -> Any:  # noqa: ANN401 - text, or what a JSON text says
    # Pulumi hands over objects as JSON. Only where an object belongs: a password may begin with a bracket, too.
    if key in _MODELS:
        try:
            return json.loads(value)
        except ValueError:
            pass  # what it is instead is told when it is validated
    # A secret is never shown, not even one under a key that does not exist.
    return SecretStr(value) if secret else value


def _fields_at(loc: tuple[int | str, ...]) -> list[str]:
    """Names of the settings that are valid at a location such as ("hosts", 0)."""
    return list((_MODELS[loc[0]] if loc else Settings).model_fields)
