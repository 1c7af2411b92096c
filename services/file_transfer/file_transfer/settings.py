"""The service's settings, read from environment variables that begin with FILE_TRANSFER_."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from file_transfer import browsers, tokens
from file_transfer.browsers import Browsers
from file_transfer.environment import Environment, SettingsError
from file_transfer.pace import Pace
from file_transfer.tokens import Tokens

_SCOPE = re.compile("|".join(tokens.SCOPES))

RESERVED_THREADS = 4
"""Threads of a worker that transfers cannot use. They serve lists, deletions and the web page."""


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

    `authority` is the file with the certificate of the authority that has issued the hosts' certificates. A write needs
    this number of synchronous `standbys`; with 0, the primary alone is enough. `patience` multiplies the times that
    the hosts have to answer.
    """

    hosts: tuple[tuple[str, int], ...]
    password: str = field(repr=False)
    authority: Path
    connections: int
    standbys: int
    patience: int = 1
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


def load(variables: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a variable is invalid or missing.
    """
    environment = Environment("FILE_TRANSFER_", variables)
    storage = environment.text("STORAGE", "directory")
    if storage not in ("directory", "cluster", "s3"):
        raise environment.error("STORAGE", f'is "{storage}": set it to directory, cluster or s3')
    remedy = f"FILE_TRANSFER_STORAGE={storage} needs it"
    configured = Settings(
        data=Path(environment.text("DATA", "data")),
        postgres=_postgres(environment, remedy) if storage != "directory" else None,
        seaweedfs=_seaweedfs(environment, remedy, node=variables.get("NODE_ID", "")) if storage == "cluster" else None,
        s3=_s3(environment, remedy) if storage == "s3" else None,
        port=environment.number("PORT", 8080, maximum=65535),
        status_port=environment.number("STATUS_PORT", 8081, maximum=65535),
        workers=environment.number("WORKERS", 2),
        threads=environment.number("THREADS", 64, minimum=RESERVED_THREADS + 1),
        max_file_bytes=environment.number("MAX_FILE_BYTES", 64 * 2**30),
        quota_bytes=environment.number("QUOTA_BYTES", 0, minimum=0),
        min_free_bytes=environment.number("MIN_FREE_BYTES", 0, minimum=0),
        pace=Pace(
            min_bytes=environment.number("PACE_BYTES", 32 * 1024, minimum=0),
            seconds=environment.number("PACE_SECONDS", 30),
        ),
        tokens=_tokens(environment),
        browsers=Browsers(
            hosts=_listed(environment, "ALLOWED_HOSTS", browsers.HOST_NAME, "names such as files.example.org"),
            origins=_listed(environment, "ALLOWED_ORIGINS", browsers.ORIGIN, "origins such as https://app.example.org"),
        ),
        grace_seconds=environment.number("GRACE_SECONDS", 600),
        drain_seconds=environment.number("DRAIN_SECONDS", 3, minimum=0),
    )
    if configured.drain_seconds >= configured.grace_seconds:
        raise environment.error(
            "DRAIN_SECONDS",
            f'is "{configured.drain_seconds}": set it to less than FILE_TRANSFER_GRACE_SECONDS, '
            f"{configured.grace_seconds}",
        )
    return configured


def _postgres(environment: Environment, remedy: str) -> PostgresSettings:
    return PostgresSettings(
        hosts=tuple(_addresses(environment, "POSTGRES_HOSTS", 5432, remedy)),
        password=environment.file_content("POSTGRES_PASSWORD_FILE", "the password", remedy),
        authority=_file(environment, "POSTGRES_AUTHORITY_FILE", "the authority's certificate", remedy),
        connections=environment.number("POSTGRES_CONNECTIONS", 4),
        standbys=environment.number("POSTGRES_STANDBYS", 1, minimum=0),
        patience=environment.number("POSTGRES_PATIENCE", 1),
    )


def _seaweedfs(environment: Environment, remedy: str, *, node: str) -> SeaweedFsSettings:
    return SeaweedFsSettings(
        masters=_joined(_addresses(environment, "SEAWEEDFS_MASTERS", 9333, remedy)),
        volume_servers=_joined(_addresses(environment, "SEAWEEDFS_VOLUME_SERVERS", 8080, remedy)),
        copies=environment.number("COPIES", 2, maximum=10),
        node=node,
        write_key=environment.file_content("SEAWEEDFS_WRITE_KEY_FILE", "the key", remedy),
        read_key=environment.file_content("SEAWEEDFS_READ_KEY_FILE", "the key", remedy),
        identity=_file(environment, "SEAWEEDFS_IDENTITY_FILE", "the certificate and its private key", remedy),
        authority=_file(environment, "SEAWEEDFS_AUTHORITY_FILE", "the authority's certificate", remedy),
    )


def _s3(environment: Environment, remedy: str) -> S3Settings:
    endpoint = environment.required("S3_ENDPOINT", remedy)
    if not endpoint.startswith(("http://", "https://")):
        raise environment.error("S3_ENDPOINT", f'is "{endpoint}": set it to a URL such as http://object-store:8333')
    return S3Settings(
        endpoint=endpoint,
        bucket=environment.required("S3_BUCKET", remedy),
        region=environment.required("S3_REGION", remedy, "us-east-1"),
        prefix=environment.text("S3_PREFIX"),
        access_key=environment.file_content("S3_ACCESS_KEY_FILE", "the key", remedy),
        secret_key=environment.file_content("S3_SECRET_KEY_FILE", "the key", remedy),
    )


def _file(environment: Environment, name: str, content: str, remedy: str) -> Path:
    """Return the path of a file that can be read."""
    environment.file_content(name, content, remedy)
    return Path(environment.text(name))


def _addresses(environment: Environment, name: str, usual_port: int, remedy: str) -> Iterator[tuple[str, int]]:
    for address in environment.required(name, remedy).split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdecimal():
            example = f"host-1:{usual_port},host-2:{usual_port}"
            raise environment.error(name, f'has "{address}": list addresses such as {example}')
        yield host, int(port)


def _joined(addresses: Iterator[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{host}:{port}" for host, port in addresses)


def _tokens(environment: Environment) -> Tokens | None:
    path = environment.text("TOKENS_FILE")
    anonymous = _listed(environment, "ANONYMOUS", _SCOPE, "some of read, write and delete")
    if not path:
        if anonymous:
            raise environment.error(
                "ANONYMOUS", "needs FILE_TRANSFER_TOKENS_FILE: without tokens everybody may do everything"
            )
        return None
    try:
        return tokens.load(Path(path), anonymous)
    except tokens.TokensError as error:
        raise SettingsError(f"FILE_TRANSFER_TOKENS_FILE: {error}") from None


def _listed(environment: Environment, name: str, form: re.Pattern[str], example: str) -> frozenset[str]:
    parts = environment.parts(name)
    for part in parts:
        if not form.fullmatch(part):
            raise environment.error(name, f'has "{part}": give a comma-separated list, in lower case, of {example}')
    return frozenset(parts)
