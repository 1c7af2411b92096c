"""The service's settings, read from environment variables that begin with FILE_TRANSFER_."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from file_transfer import browsers, tokens
from file_transfer.browsers import Browsers
from file_transfer.pace import Pace
from file_transfer.tokens import Tokens

_PREFIX = "FILE_TRANSFER_"
_SCOPE = re.compile("|".join(tokens.SCOPES))

RESERVED_THREADS = 4
"""Threads of a worker that transfers cannot use. They serve lists, deletions and the web page."""


class SettingsError(ValueError):
    """A variable has an invalid value. The message names the variable and says which values are valid."""


@dataclass(frozen=True, kw_only=True)
class S3Settings:
    """A bucket of an S3 object store, in which all keys begin with `prefix`."""

    endpoint: str
    bucket: str
    region: str
    prefix: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class PostgresSettings:
    """A PostgreSQL cluster: `hosts` as (name, port), and the most connections of one process to each of them.

    A write needs this number of synchronous `standbys`; with 0, the primary alone is enough.
    """

    hosts: tuple[tuple[str, int], ...]
    password: str = field(repr=False)
    connections: int
    standbys: int
    user: str = "file_transfer"
    database: str = "file_transfer"


@dataclass(frozen=True, kw_only=True)
class SeaweedFsSettings:
    """A SeaweedFS cluster: its `masters` as HOST:PORT, and on how many volume servers each chunk is stored.

    `volume_servers` are names as HOST:PORT that have the addresses of all volume servers. `node` is the id of the node
    that this replica runs on; a volume server on the same node is asked first. The keys and PEM files are what a
    replica proves itself with.
    """

    masters: tuple[str, ...]
    volume_servers: tuple[str, ...]
    copies: int
    node: str
    write_key: str = field(repr=False)
    read_key: str = field(repr=False)
    identity: Path
    authority: Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one replica runs. `threads` is the number of requests that a worker process serves at once.

    Content is stored in `seaweedfs` or in the bucket `s3`, with the index in `postgres`. Without them, both are in the
    directory `data`. A `quota_bytes` or `min_free_bytes` of 0 means no limit.
    """

    data: Path
    postgres: PostgresSettings | None
    seaweedfs: SeaweedFsSettings | None
    s3: S3Settings | None
    port: int
    status_port: int
    """The port of health, readiness and metrics, which threads of its own serve. Only the cluster should reach it."""
    workers: int
    threads: int
    max_file_bytes: int
    quota_bytes: int
    min_free_bytes: int
    pace: Pace
    tokens: Tokens | None
    browsers: Browsers
    grace_seconds: int
    """The longest time from SIGTERM to the end, which includes `drain_seconds` and the running transfers."""
    drain_seconds: int
    """The time that the edge has to notice that this replica is no longer ready."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a variable is invalid or missing.
    """
    storage = environment.get(f"{_PREFIX}STORAGE", "directory")
    if storage not in ("directory", "cluster", "s3"):
        raise SettingsError(f'{_PREFIX}STORAGE is "{storage}": set it to directory, cluster or s3')
    configured = Settings(
        data=Path(environment.get(f"{_PREFIX}DATA", "data")),
        postgres=_postgres(environment) if storage != "directory" else None,
        seaweedfs=_seaweedfs(environment) if storage == "cluster" else None,
        s3=_s3(environment) if storage == "s3" else None,
        port=_number(environment, "PORT", 8080, maximum=65535),
        status_port=_number(environment, "STATUS_PORT", 8081, maximum=65535),
        workers=_number(environment, "WORKERS", 2),
        threads=_number(environment, "THREADS", 64, minimum=RESERVED_THREADS + 1),
        max_file_bytes=_number(environment, "MAX_FILE_BYTES", 64 * 2**30),
        quota_bytes=_number(environment, "QUOTA_BYTES", 0, minimum=0),
        min_free_bytes=_number(environment, "MIN_FREE_BYTES", 0, minimum=0),
        pace=Pace(
            min_bytes=_number(environment, "PACE_BYTES", 32 * 1024, minimum=0),
            seconds=_number(environment, "PACE_SECONDS", 30),
        ),
        tokens=_tokens(environment),
        browsers=Browsers(
            hosts=_listed(environment, "ALLOWED_HOSTS", browsers.HOST_NAME, "names such as files.example.org"),
            origins=_listed(environment, "ALLOWED_ORIGINS", browsers.ORIGIN, "origins such as https://app.example.org"),
        ),
        grace_seconds=_number(environment, "GRACE_SECONDS", 600),
        drain_seconds=_number(environment, "DRAIN_SECONDS", 3, minimum=0),
    )
    if configured.drain_seconds >= configured.grace_seconds:
        raise SettingsError(
            f'{_PREFIX}DRAIN_SECONDS is "{configured.drain_seconds}": '
            f"set it to less than {_PREFIX}GRACE_SECONDS, {configured.grace_seconds}"
        )
    return configured


def _postgres(environment: Mapping[str, str]) -> PostgresSettings:
    return PostgresSettings(
        hosts=tuple(_addresses(environment, "POSTGRES_HOSTS", 5432)),
        password=_file_content(environment, "POSTGRES_PASSWORD_FILE", "password"),
        connections=_number(environment, "POSTGRES_CONNECTIONS", 4),
        standbys=_number(environment, "POSTGRES_STANDBYS", 1, minimum=0),
    )


def _seaweedfs(environment: Mapping[str, str]) -> SeaweedFsSettings:
    return SeaweedFsSettings(
        masters=_joined(_addresses(environment, "SEAWEEDFS_MASTERS", 9333)),
        volume_servers=_joined(_addresses(environment, "SEAWEEDFS_VOLUME_SERVERS", 8080)),
        copies=_number(environment, "COPIES", 2, maximum=10),
        node=environment.get("NODE_ID", ""),
        write_key=_file_content(environment, "SEAWEEDFS_WRITE_KEY_FILE", "key"),
        read_key=_file_content(environment, "SEAWEEDFS_READ_KEY_FILE", "key"),
        identity=_file(environment, "SEAWEEDFS_IDENTITY_FILE", "certificate and its private key"),
        authority=_file(environment, "SEAWEEDFS_AUTHORITY_FILE", "authority's certificate"),
    )


def _s3(environment: Mapping[str, str]) -> S3Settings:
    endpoint = _required(environment, "S3_ENDPOINT")
    if not endpoint.startswith(("http://", "https://")):
        raise SettingsError(f'{_PREFIX}S3_ENDPOINT is "{endpoint}": set it to a URL such as http://object-store:8333')
    return S3Settings(
        endpoint=endpoint,
        bucket=_required(environment, "S3_BUCKET"),
        region=_required(environment, "S3_REGION", "us-east-1"),
        prefix=environment.get(f"{_PREFIX}S3_PREFIX", ""),
        access_key=_file_content(environment, "S3_ACCESS_KEY_FILE", "key"),
        secret_key=_file_content(environment, "S3_SECRET_KEY_FILE", "key"),
    )


def _required(environment: Mapping[str, str], name: str, default: str = "") -> str:
    value = environment.get(_PREFIX + name, default)
    if not value:
        storage = environment.get(f"{_PREFIX}STORAGE", "")
        raise SettingsError(f"{_PREFIX}{name} is missing: {_PREFIX}STORAGE={storage} needs it")
    return value


def _file(environment: Mapping[str, str], name: str, content: str) -> Path:
    _file_content(environment, name, content)
    return Path(environment[_PREFIX + name])


def _file_content(environment: Mapping[str, str], name: str, content: str) -> str:
    path = _required(environment, name)
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f'{_PREFIX}{name} is "{path}": {error.strerror}; name a file with the {content}') from None


def _addresses(environment: Mapping[str, str], name: str, usual_port: int) -> Iterator[tuple[str, int]]:
    for address in _required(environment, name).split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdecimal():
            example = f"host-1:{usual_port},host-2:{usual_port}"
            raise SettingsError(f'{_PREFIX}{name} has "{address}": list addresses such as {example}')
        yield host, int(port)


def _joined(addresses: Iterator[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{host}:{port}" for host, port in addresses)


def _tokens(environment: Mapping[str, str]) -> Tokens | None:
    path = environment.get(f"{_PREFIX}TOKENS_FILE")
    anonymous = _listed(environment, "ANONYMOUS", _SCOPE, "some of read, write and delete")
    if not path:
        if anonymous:
            raise SettingsError(
                f"{_PREFIX}ANONYMOUS needs {_PREFIX}TOKENS_FILE: without tokens everybody may do everything"
            )
        return None
    try:
        return tokens.load(Path(path), anonymous)
    except tokens.TokensError as error:
        raise SettingsError(f"{_PREFIX}TOKENS_FILE: {error}") from None


def _listed(environment: Mapping[str, str], name: str, form: re.Pattern[str], example: str) -> frozenset[str]:
    """Return the parts of a list with commas, which can be empty."""
    parts = [part.strip() for part in environment.get(_PREFIX + name, "").split(",")]
    for part in filter(None, parts):
        if not form.fullmatch(part):
            raise SettingsError(
                f'{_PREFIX}{name} has "{part}": give a comma-separated list, in lower case, of {example}'
            )
    return frozenset(filter(None, parts))


def _number(
    environment: Mapping[str, str], name: str, default: int, *, minimum: int = 1, maximum: int | None = None
) -> int:
    text = environment.get(_PREFIX + name, str(default))
    if not text.isdecimal() or int(text) < minimum or (maximum is not None and int(text) > maximum):
        allowed = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
        raise SettingsError(f'{_PREFIX}{name} is "{text}": set it to a whole number, {allowed}')
    return int(text)
