"""The backup service's settings, read from environment variables that begin with BACKUP_.

What the file service is configured with, such as where files are stored, is in `file_transfer.settings`.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from file_transfer.settings import SettingsError

_PREFIX = "BACKUP_"
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


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a variable is invalid or missing.
    """
    return Settings(
        repository=_repository(environment),
        databases=tuple(_databases(environment)),
        every_seconds=_number(environment, "EVERY_SECONDS", 86400),
        keep=tuple(_keep(environment)),
        port=_number(environment, "PORT", 8082, maximum=65535),
        folder=Path(tempfile.gettempdir()),
    )


def _repository(environment: Mapping[str, str]) -> RepositorySettings:
    cluster = _required(environment, "CLUSTER", "the name of this cluster, such as prod")
    if not _NAME.fullmatch(cluster):
        raise SettingsError(f'{_PREFIX}CLUSTER is "{cluster}": use letters, digits, dots, hyphens and underscores')
    location = _required(environment, "REPOSITORY", "a path, or s3:https://HOST/BUCKET/PREFIX")
    _secret(environment, "PASSWORD_FILE", "the repository's password")
    found = RepositorySettings(
        location=location,
        password_file=Path(environment[f"{_PREFIX}PASSWORD_FILE"]),
        cluster=cluster,
        access_key=_optional_secret(environment, "ACCESS_KEY_FILE", "the access key"),
        secret_key=_optional_secret(environment, "SECRET_KEY_FILE", "the secret key"),
        region=environment.get(f"{_PREFIX}REGION", ""),
    )
    if bool(found.access_key) != bool(found.secret_key):
        missing = "SECRET_KEY_FILE" if found.access_key else "ACCESS_KEY_FILE"
        raise SettingsError(f"{_PREFIX}{missing} is missing: set both key files or none")
    return found


def _databases(environment: Mapping[str, str]) -> Iterator[DatabaseSettings]:
    text = environment.get(f"{_PREFIX}DATABASES", "")
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, address = entry.partition("=")
        host, _, port = address.rpartition(":")
        if not _NAME.fullmatch(name) or not host or not port.isdecimal():
            raise SettingsError(
                f'{_PREFIX}DATABASES has "{entry}": list databases such as vms=influxdb-vms:8086, with commas'
            )
        yield DatabaseSettings(
            name=name,
            host=host,
            port=int(port),
            reader_password=_secret(environment, "READER_PASSWORD_FILE", "the password of InfluxDB's user reader"),
            writer_password=_secret(environment, "WRITER_PASSWORD_FILE", "the password of InfluxDB's user writer"),
        )


def _keep(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    text = environment.get(f"{_PREFIX}KEEP", "last=3,daily=7,weekly=5,monthly=12")
    for entry in text.split(","):
        kind, _, count = entry.strip().partition("=")
        if kind not in _KEPT or not count.isdecimal() or int(count) < 1:
            raise SettingsError(
                f'{_PREFIX}KEEP is "{text}": set it to numbers such as daily=7,weekly=5,monthly=12; '
                f"there are {', '.join(_KEPT)}"
            )
        yield kind, int(count)


def _required(environment: Mapping[str, str], name: str, example: str) -> str:
    value = environment.get(_PREFIX + name, "")
    if not value:
        raise SettingsError(f"{_PREFIX}{name} is missing: set it to {example}")
    return value


def _secret(environment: Mapping[str, str], name: str, content: str) -> str:
    path = _required(environment, name, f"a file with {content}")
    try:
        found = Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f'{_PREFIX}{name} is "{path}": {error.strerror}; name a file with {content}') from None
    if not found:
        raise SettingsError(f'{_PREFIX}{name} is "{path}", which is empty: name a file with {content}')
    return found


def _optional_secret(environment: Mapping[str, str], name: str, content: str) -> str:
    return _secret(environment, name, content) if environment.get(_PREFIX + name) else ""


def _number(environment: Mapping[str, str], name: str, default: int, *, maximum: int | None = None) -> int:
    text = environment.get(_PREFIX + name, str(default))
    if not text.isdecimal() or int(text) < 1 or (maximum is not None and int(text) > maximum):
        allowed = "1 or more" if maximum is None else f"1 to {maximum}"
        raise SettingsError(f'{_PREFIX}{name} is "{text}": set it to a whole number, {allowed}')
    return int(text)
