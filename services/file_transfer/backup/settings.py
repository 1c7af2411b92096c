"""The backup service's settings, read from environment variables that begin with BACKUP_.

Where the files are stored is configured as for the file service, in `file_transfer.settings`.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from file_transfer.environment import Environment

_KEPT = ("last", "daily", "weekly", "monthly")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class RepositorySettings:
    """Where backups are stored: a path, or s3:https://HOST/BUCKET/PREFIX. Snapshots have the name of the `cluster`.

    The keys are those of S3, and empty for a path.
    """

    location: str
    password_file: Path
    cluster: str
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    region: str = ""


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """An InfluxDB at `host` and `port`, with its database `name` and the passwords of its two users."""

    name: str
    host: str
    port: int
    reader_password: str = field(repr=False)
    writer_password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the service runs. `keep` says how many of the last, daily, … backups are kept."""

    repository: RepositorySettings
    databases: tuple[DatabaseSettings, ...]
    every_seconds: int
    keep: tuple[tuple[str, int], ...]
    port: int
    folder: Path
    """Where the lock and the outcome of the last backup are, which all processes of the container share."""


def load(variables: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a variable is invalid or missing.
    """
    environment = Environment("BACKUP_", variables)
    return Settings(
        repository=_repository(environment),
        databases=tuple(_databases(environment)),
        every_seconds=environment.number("EVERY_SECONDS", 86400),
        keep=tuple(_keep(environment)),
        port=environment.number("PORT", 8082, maximum=65535),
        folder=Path(tempfile.gettempdir()),
    )


def _repository(environment: Environment) -> RepositorySettings:
    cluster = environment.required("CLUSTER", "set it to the name of this cluster, such as prod")
    if not _NAME.fullmatch(cluster):
        raise environment.error("CLUSTER", f'is "{cluster}": use letters, digits, dots, hyphens and underscores')
    location = environment.required("REPOSITORY", "set it to a path, or s3:https://HOST/BUCKET/PREFIX")
    _secret(environment, "PASSWORD_FILE", "the repository's password")
    found = RepositorySettings(
        location=location,
        password_file=Path(environment.text("PASSWORD_FILE")),
        cluster=cluster,
        access_key=_optional_secret(environment, "ACCESS_KEY_FILE", "the access key"),
        secret_key=_optional_secret(environment, "SECRET_KEY_FILE", "the secret key"),
        region=environment.text("REGION"),
    )
    if bool(found.access_key) != bool(found.secret_key):
        missing = "SECRET_KEY_FILE" if found.access_key else "ACCESS_KEY_FILE"
        raise environment.error(missing, "is missing: set both key files or none")
    return found


def _databases(environment: Environment) -> Iterator[DatabaseSettings]:
    for entry in environment.parts("DATABASES"):
        name, _, address = entry.partition("=")
        host, _, port = address.rpartition(":")
        if not _NAME.fullmatch(name) or not host or not port.isdecimal():
            raise environment.error(
                "DATABASES", f'has "{entry}": list databases such as vms=influxdb-vms:8086, separated by commas'
            )
        yield DatabaseSettings(
            name=name,
            host=host,
            port=int(port),
            reader_password=_secret(environment, "READER_PASSWORD_FILE", "the password of InfluxDB's user reader"),
            writer_password=_secret(environment, "WRITER_PASSWORD_FILE", "the password of InfluxDB's user writer"),
        )


def _keep(environment: Environment) -> Iterator[tuple[str, int]]:
    text = environment.text("KEEP", "last=3,daily=7,weekly=5,monthly=12")
    for entry in text.split(","):
        kind, _, count = entry.strip().partition("=")
        if kind not in _KEPT or not count.isdecimal() or int(count) < 1:
            raise environment.error(
                "KEEP",
                f'is "{text}": set it to numbers such as daily=7,weekly=5,monthly=12 (possible: {", ".join(_KEPT)})',
            )
        yield kind, int(count)


def _secret(environment: Environment, name: str, content: str) -> str:
    found = environment.file_content(name, content, f"set it to a file with {content}")
    if not found:
        raise environment.error(name, f'is "{environment.text(name)}", which is empty: name a file with {content}')
    return found


def _optional_secret(environment: Environment, name: str, content: str) -> str:
    return _secret(environment, name, content) if environment.text(name) else ""
