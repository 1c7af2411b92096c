"""All settings, as frozen and validated models. A field of type `SecretStr` is secret; nothing else lists secrets.

A validator's error says what is wrong with the value; `errors.py` adds the field, the value and the remedy. Where the
value is an object or a list, the validator itself names value and remedy, and in `Settings` as a whole the field too.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from components import certificate, images
from components.edge_config import Limits, drain_seconds
from components.ssh import PORT
from monitoring.configuration import alert_names
from settings import addresses, topology
from settings.errors import secret_remedy

_HOST_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_DNS_NAME = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
_JUMP = r"^[^\s@:-][^\s@:]*@[A-Za-z0-9][A-Za-z0-9.-]*(:[1-9][0-9]{0,4})?$"
_MAX_REPLICAS = 1000
_NO_MAJORITY_WITHOUT_BOTH = 2
_MIN_PASSWORD = 12
_MIN_TOKEN = 32
_TTL = r"^([1-9][0-9]{0,8}s?|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d)?$"  # some decades at most
_DIRECTORY = r"^(/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"  # no "..", and nothing that Docker or a shell reads
_DURATION = r"^[1-9][0-9]*(s|m|h|d|w)$"


Scope = Literal["read", "write", "delete"]


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
    state: Literal["active", "gone"] = "active"
    """A host that is gone is lost for good: nothing is asked of it, and the swarm forgets it."""


class Ssh(_Settings):
    """How every host is reached; only the host keys in `known_hosts_file` are accepted."""

    user: str = "vagrant"
    private_key_file: Path
    known_hosts_file: Path
    port: Annotated[int, Field(ge=1, le=65535)] = PORT
    jump: Annotated[str, Field(pattern=_JUMP)] | None = None
    """A machine through which all hosts are reached, as USER@ADDRESS or USER@ADDRESS:PORT."""


class Bucket(_Settings):
    """A bucket of another object store, which must speak S3 with conditional writes."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
    bucket: str
    region: str = "us-east-1"
    prefix: str = ""
    access_key: str


class Token(_Settings):
    """Whoever has this token may do what its scopes say."""

    token: SecretStr
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    prefix: Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x1f/\\]*$")] = ""
    """The token is for files only whose names begin with this."""
    expires: date | None = None
    """The last day, in UTC, on which the token is valid."""
    ttl: Annotated[str, Field(pattern=_TTL)] = ""
    """How long a file is kept that is uploaded without an expiry, such as 7d; without it, for ever."""

    @field_validator("token")
    @classmethod
    def _long(cls, token: SecretStr) -> SecretStr:
        if len(token) < _MIN_TOKEN:
            raise ValueError(f"has {len(token)} characters, fewer than {_MIN_TOKEN}: `make token` makes one")
        return token


class FileService(_Settings):
    """The replicated file service."""

    replicas: Annotated[int, Field(ge=1, le=_MAX_REPLICAS)] = 3
    storage: Literal["cluster", "directory", "s3"] = "cluster"
    """Where files are stored: in the cluster's own object store, a directory of one host, or a bucket elsewhere."""
    copies: Annotated[int, Field(ge=1, le=3)] = 2
    """The number of hosts that store each file; while fewer are available, uploads are refused."""
    storage_host: str | None = None
    """Name of the host with the directory; by default the host that has this data already, else the first manager."""
    index_hosts: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] | None = None
    """Names of the hosts with the index, in PostgreSQL: two of them, or three so that they go on without any one.

    By default the hosts that have it already, else three managers, or the first manager and one other host.
    """
    s3: Bucket | None = None
    max_file_bytes: Annotated[int, Field(ge=1)] = 64 * 2**30
    quota_bytes: Annotated[int, Field(ge=0)] = 0
    """The largest total size of all files; 0 for no limit."""
    min_free_bytes: Annotated[int, Field(ge=0)] = 2**30
    """Space that uploads leave free on the disk of a directory."""
    grace: Annotated[int, Field(ge=10)] = 600
    """Seconds that running transfers have to finish when their replica is replaced."""
    anonymous: tuple[Scope, ...] = ()
    """What a request may do that has no token at all."""
    allowed_hosts: tuple[str, ...] = ()
    """Names with a dot by which clients may call the service, besides those in the edge's certificate.

    Addresses and names without a dot are always allowed.
    """
    allowed_origins: tuple[str, ...] = ()
    """Other sites, such as https://app.example.org, whose pages may use the service in their visitors' browsers."""

    @field_validator("allowed_hosts", "allowed_origins")
    @classmethod
    def _names_and_origins(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        form, example = {
            "allowed_hosts": (
                rf"(\*\.)?{_DNS_NAME}",
                "files.example.org, or *.example.org for its direct subdomains, without a port",
            ),
            "allowed_origins": (
                rf"https?://({_DNS_NAME}|\[[0-9a-f:]+\])(:[0-9]{{1,5}})?",
                "https://app.example.org, without a path",
            ),
        }[str(info.field_name)]
        for value in values:
            if not re.fullmatch(form, value):
                raise ValueError(f'"{value}" is not valid: write it in lower case, such as {example}')
        return values

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.storage == "s3") != (self.s3 is not None):
            raise ValueError("s3 and `storage: s3` need each other: set both, or neither")
        if self.storage_host is not None and self.storage != "directory":
            raise ValueError(
                f'storage_host: "{self.storage_host}": only `storage: directory` has one host, and storage is '
                f'"{self.storage}": remove it, and to choose the hosts of the index set index_hosts'
            )
        if self.index_hosts is not None and self.storage == "directory":
            raise ValueError(
                f'index_hosts: "{", ".join(self.index_hosts)}": with `storage: directory` the index is in the '
                "directory: remove it, or set storage_host"
            )
        if self.index_hosts is not None and len(set(self.index_hosts)) < len(self.index_hosts):
            raise ValueError(f'index_hosts: "{", ".join(self.index_hosts)}": names a host twice: name each host once')
        return self


class Network(_Settings):
    """The overlay networks. Only programs that speak with each other share one. Prometheus is on most."""

    subnet: IPv4Network = IPv4Network("10.0.10.0/24")
    """Subnet of the network of the edge, the databases, Prometheus and Alertmanager, which leads out of the cluster."""
    api_subnet: IPv4Network = IPv4Network("10.0.11.0/24")
    """Subnet of the network between Prometheus and the Docker API."""
    storage_subnet: IPv4Network = IPv4Network("10.0.12.0/24")
    """Subnet of the network between the file service and the object store."""
    files_subnet: IPv4Network = IPv4Network("10.0.13.0/24")
    """Subnet of the network between the edge and the file service."""
    metrics_subnet: IPv4Network = IPv4Network("10.0.14.0/24")
    """Subnet of the network between Prometheus and the exporters."""
    index_subnet: IPv4Network = IPv4Network("10.0.15.0/24")
    """Subnet of the network between the file service and the index."""
    outside_subnet: IPv4Network = IPv4Network("10.0.16.0/24")
    """Subnet of the network by which the file service reaches a bucket elsewhere."""
    pool: IPv4Network | None = None
    """What Docker takes the subnets of its own networks from when the swarm is created; by default 10.0.0.0/8."""
    mtu: Annotated[int, Field(ge=1280, le=9216)] | None = None
    """The MTU of the interfaces between the hosts, in bytes; by default the smallest one found, but at most 1500."""
    encrypted: bool = False


class EdgeLimits(_Settings):
    """What one address may use of one host's edge: a whole office can have one."""

    connections: Annotated[int, Field(ge=1, le=4096)] = Limits.connections
    """Connections at a time, and as many requests at a time."""
    requests: Annotated[int, Field(ge=1)] = Limits.requests
    """Requests in 10 seconds."""
    errors: Annotated[int, Field(ge=1)] = Limits.errors
    """Requests in 10 seconds that are refused with a status of 400 to 499."""


class Monitoring(_Settings):
    """Which metrics are kept, where, for how long, and who can read them."""

    host: str | None = None
    """Name of the host with Prometheus and the databases; the default is as for `storage_host`."""
    scrape_interval: Annotated[int, Field(ge=5, le=60)] = 15
    """Seconds between two scrapes of each task and node."""
    retention: str = "30d"
    """How long both InfluxDBs keep their data."""
    publish: frozenset[Literal["influxdb", "prometheus", "alertmanager", "grafana", "edge"]] = frozenset()
    """What can be reached from outside: the InfluxDBs on their own host, the others on every host, by the operator.

    `edge` is the statistics of each host's HAProxy.
    """
    grafana: bool = True

    @field_validator("retention")
    @classmethod
    def _long_enough(cls, retention: str) -> str:
        if not re.fullmatch(r"[1-9][0-9]*(h|d|w)", retention):
            raise ValueError("must be one hour or more: a number followed by h, d or w, such as 30d")
        return retention


class Alerting(_Settings):
    """Who receives alerts, and how long each must hold before it fires (`for`: alert -> duration)."""

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
                raise ValueError(f'no alert is named "{name}": use one of {", ".join(alert_names())}')
            if not re.fullmatch(_DURATION, duration):
                raise ValueError(f'{name}: "{duration}" is not a duration: write a number followed by s, m, h, d or w')
        return durations

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        needed = {"none": (), "webhook": ("webhook_url",), "email": ("email_to", "email_from", "smtp_host")}
        for field in needed[self.receiver]:
            if not getattr(self, field):
                raise ValueError(f"receiver {self.receiver} needs {field}: set it, or choose another receiver")
        for field in ("webhook_url", "heartbeat_url"):
            url = getattr(self, field).get_secret_value()
            if url and not re.match(r"https?://[^/\s]+", url):
                raise ValueError(f"{field} is not an http or https address: correct it")
        if self.smtp_host and not re.fullmatch(r"[^\s:]+:\d+", self.smtp_host):
            raise ValueError(f'smtp_host "{self.smtp_host}" is not of the form HOST:PORT: correct it')
        return self


class Images(_Settings):
    """References of the upstream images; the defaults are those pinned in `components/images.py`."""

    alertmanager: str = images.ALERTMANAGER
    cadvisor: str = images.CADVISOR
    debian: str = images.DEBIAN
    grafana: str = images.GRAFANA
    haproxy: str = images.HAPROXY
    influxdb: str = images.INFLUXDB
    node_exporter: str = images.NODE_EXPORTER
    prometheus: str = images.PROMETHEUS
    python: str = images.PYTHON
    seaweedfs: str = images.SEAWEEDFS


class Registry(_Settings):
    """Where our own images are pushed after one build; without it, they are built on every host that runs them."""

    address: str
    username: str = ""
    password: SecretStr = SecretStr("")


class Keep(_Settings):
    """How many backups are kept: the last ones, and the last one of so many days, weeks and months."""

    last: Annotated[int, Field(ge=1)] = 3
    daily: Annotated[int, Field(ge=0)] = 7
    weekly: Annotated[int, Field(ge=0)] = 5
    monthly: Annotated[int, Field(ge=0)] = 12


class Backup(_Settings):
    """Where backups of the files and the metrics go, in a directory or in a bucket, and how often one is made."""

    directory: str | None = None
    """A directory of the host: better one that is on another machine, such as a mounted share."""
    s3: Bucket | None = None
    host: str | None = None
    """Name of the host that makes the backups; by default the one with the monitoring."""
    every: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[mhd]$")] = "1d"
    keep: Keep = Keep()

    @property
    def every_seconds(self) -> int:
        """The time from one backup to the next, in seconds."""
        return int(self.every[:-1]) * {"m": 60, "h": 3600, "d": 86400}[self.every[-1]]

    @field_validator("directory")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        if path is not None and not re.fullmatch(_DIRECTORY, path):
            raise ValueError("must be an absolute path of letters, digits, dots, hyphens and underscores, without ..")
        return path

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.directory is None) == (self.s3 is None):
            raise ValueError("needs either directory or s3: set one of the two")
        return self


class Settings(_Settings):
    """All settings of one stack."""

    private_cidr: IPv4Network
    hosts: tuple[Host, ...]
    ssh: Ssh
    operator_password: SecretStr
    influxdb_writer_password: SecretStr
    influxdb_reader_password: SecretStr
    postgres_password: SecretStr | None = None
    """The password of the index's database, which every `storage` except a directory needs."""
    storage_key: SecretStr | None = None
    """The secret key of the bucket of `storage: s3`."""
    backup: Backup | None = None
    """Without it, no backups are made."""
    backup_password: SecretStr | None = None
    """Encrypts the backups. Keep it elsewhere too: nobody can read a backup without it."""
    backup_storage_key: SecretStr | None = None
    """The secret key of the bucket with the backups."""
    tokens: Mapping[str, Token] | None = None
    """Who may use the file service, by name; without it, everybody may."""
    network: Network = Network()
    file_service: FileService = FileService()
    monitoring: Monitoring = Monitoring()
    alerting: Alerting = Alerting()
    images: Images = Images()
    registry: Registry | None = None
    edge_port: Annotated[int, Field(ge=1, le=65535)] = 5001
    edge_limits: EdgeLimits = EdgeLimits()
    edge_certificate: SecretStr | None = None
    """With it, the edge speaks TLS. PEM: the certificate, the chain up to its root, and the private key."""
    patience: Annotated[int, Field(ge=1, le=20)] = 1
    """A factor for slow hosts: of all times of the health checks by which Swarm kills tasks, and of `ready_timeout`."""
    replacing_manager: bool = False
    """Whether two managers are accepted, for the time in which another manager takes over from the first."""
    ready_timeout: Annotated[int, Field(ge=1)] = 300
    """Seconds that `pulumi up` waits for a service to run as configured; more for one with many tasks."""

    @property
    def present_hosts(self) -> tuple[Host, ...]:
        """The hosts that are to be used: all but those that are gone."""
        return tuple(host for host in self.hosts if host.state == "active")

    @property
    def gone_hosts(self) -> tuple[Host, ...]:
        """The hosts that are lost for good and still on the list."""
        return tuple(host for host in self.hosts if host.state == "gone")

    @property
    def managers(self) -> tuple[Host, ...]:
        """The present hosts with role manager; the cluster is created and controlled on the first."""
        return tuple(host for host in self.present_hosts if host.role == "manager")

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """All names by which clients may call the file service: those in the settings, and the certificate's."""
        pem = self.edge_certificate
        certified = certificate.host_names(pem.get_secret_value()) if pem else ()
        return tuple(sorted({*self.file_service.allowed_hosts, *certified}))

    def _check_grace(self) -> None:
        drain = drain_seconds(len(self.present_hosts))
        if self.file_service.grace <= drain:
            raise ValueError(
                f'file_service.grace: "{self.file_service.grace}": with {len(self.present_hosts)} hosts, a replica '
                f"that shuts down accepts requests for {drain} seconds, until every edge knows: set {drain + 1} or more"
            )

    def _check_managers(self) -> None:
        listed = [host for host in self.hosts if host.role == "manager"]
        if len(listed) == len(self.managers) == _NO_MAJORITY_WITHOUT_BOTH and not self.replacing_manager:
            raise ValueError(
                f'hosts: "{self.managers[0].name}" and "{self.managers[1].name}" are the managers: a swarm needs most '
                "of its managers, so it would stop if either of two were lost: make it one or three, or set "
                "replacing_manager to true until one has taken over from the other"
            )

    def _check_storage(self) -> None:
        wanted = self.file_service
        if wanted.anonymous and self.tokens is None:
            raise ValueError(
                f'file_service.anonymous: "{", ".join(wanted.anonymous)}": without tokens everybody may do everything '
                "already: set tokens, or remove it"
            )
        if wanted.storage == "cluster" and wanted.copies > len(self.present_hosts):
            raise ValueError(
                f'file_service.copies: "{wanted.copies}": each copy needs its own host, '
                f"and there are {len(self.present_hosts)} hosts: lower it, or add a host"
            )
        needed = {"cluster": ["postgres_password"], "s3": ["postgres_password", "storage_key"], "directory": []}
        for secret in needed[wanted.storage]:
            if getattr(self, secret) is None:
                raise ValueError(
                    f'{secret} is missing, and file_service.storage "{wanted.storage}" needs it: '
                    f"{secret_remedy(secret)}"
                )

    def _check_backup(self) -> None:
        if self.backup is None:
            return
        if self.file_service.storage == "directory":
            raise ValueError(
                "backup: with `storage: directory` all files are in one volume, which tools for files can copy: "
                "remove it, or use another storage"
            )
        for field in ("backup_password", *(("backup_storage_key",) if self.backup.s3 else ())):
            if getattr(self, field) is None:
                raise ValueError(f"{field} is missing, and backup needs it: {secret_remedy(field)}")

    def _check_ports(self) -> None:
        published = self.monitoring.publish
        if "grafana" in published and not self.monitoring.grafana:
            raise ValueError(
                'monitoring.publish: "grafana" does not run: set monitoring.grafana to true, or do not publish it'
            )
        for service, port in topology.monitoring_ports(self).items():
            if port == self.edge_port:
                raise ValueError(
                    f'edge_port: "{port}" is the port of {service}, which is published: choose another port'
                )

    @field_validator("hosts")
    @classmethod
    def _distinct_and_led(cls, hosts: tuple[Host, ...]) -> tuple[Host, ...]:
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
                'there is no swarm to go on with; see "The last manager is lost" in docs/operations.md'
            )
        return hosts

    @field_validator(
        "operator_password",
        "influxdb_writer_password",
        "influxdb_reader_password",
        "postgres_password",
        "storage_key",
        "backup_password",
        "backup_storage_key",
    )
    @classmethod
    def _strong_and_printable(cls, password: SecretStr | None) -> SecretStr | None:
        if password is None:
            return None
        if len(password) < _MIN_PASSWORD:
            raise ValueError(f"has {len(password)} characters, fewer than {_MIN_PASSWORD}: choose a longer password")
        if not re.fullmatch(r"[!-&(-\[\]-~]+", password.get_secret_value()):
            raise ValueError(
                "contains a space, a single quote ('), a backslash, or a character that is not printable ASCII: "
                "choose another password"
            )
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
                    f'hosts: address "{host.address}" of "{host.name}" is outside private_cidr '
                    f'"{self.private_cidr}": change the address or private_cidr'
                )
        addresses.check(self)
        self._check_grace()
        self._check_managers()
        self._check_ports()
        self._check_storage()
        self._check_backup()
        for field, name in (
            ("file_service.storage_host", self.file_service.storage_host),
            *(("file_service.index_hosts", name) for name in self.file_service.index_hosts or ()),
            ("monitoring.host", self.monitoring.host),
            ("backup.host", self.backup.host if self.backup else None),
        ):
            if name is not None and name not in {host.name for host in self.hosts}:
                raise ValueError(f'{field}: no host is named "{name}": use a name from hosts')
            if name in {host.name for host in self.gone_hosts}:
                raise ValueError(f'{field}: "{name}" is gone: name another host, or remove the setting')
        return self
