"""The file service: its replicas, where it stores the files, and what it accepts."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from settings.models.base import Model
from settings.models.bucket import Bucket
from settings.models.tokens import Scope

MAX_REPLICAS = 1000

_DNS_NAME = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"


class FileService(Model):
    """The replicated file service."""

    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 3
    storage: Literal["cluster", "directory", "s3"] = "cluster"
    """Where files are stored: in the cluster's own object store, a directory of one host, or a bucket elsewhere."""
    copies: Annotated[int, Field(ge=1, le=3)] = 2
    """The number of hosts that store each file; while fewer are available, uploads are refused."""
    storage_host: str | None = None
    """Name of the host with the directory; by default the host that has this data already, else the first manager."""
    index_hosts: Annotated[tuple[str, ...], Field(min_length=1, max_length=3)] | None = None
    """Names of the hosts with the index, in PostgreSQL: two, or three so that uploads go on when one is lost.

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
    """What a request without a token may do."""
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
