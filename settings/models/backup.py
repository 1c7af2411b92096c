"""The backups: where they go, how often one is made, and how many are kept."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from settings.models.base import Model, matching
from settings.models.bucket import Bucket

_DIRECTORY = r"(/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*)+"  # no "..", and nothing that Docker or a shell reads
_DIRECTORY_FORM = "an absolute path of letters, digits, dots, hyphens and underscores, without .."


class Keep(Model):
    """How many backups are kept: the last ones, and the last one of so many days, weeks and months."""

    last: Annotated[int, Field(ge=1)] = 3
    daily: Annotated[int, Field(ge=0)] = 7
    weekly: Annotated[int, Field(ge=0)] = 5
    monthly: Annotated[int, Field(ge=0)] = 12


class Backup(Model):
    """Where backups of the files and the metrics go, in a directory or in a bucket, and how often one is made."""

    directory: Annotated[str, matching(_DIRECTORY, _DIRECTORY_FORM)] | None = None
    """A directory of the host: better one that is on another machine, such as a mounted share."""
    s3: Bucket | None = None
    host: str | None = None
    """Name of the host that makes the backups; by default the one with the monitoring.

    With `storage: directory` it is always the host with the directory.
    """
    every: Annotated[str, matching(r"[1-9][0-9]{0,4}[mhd]", "a time such as 30m, 6h or 1d")] = "1d"
    keep: Keep = Keep()

    @property
    def every_seconds(self) -> int:
        """The time from one backup to the next, in seconds."""
        return int(self.every[:-1]) * {"m": 60, "h": 3600, "d": 86400}[self.every[-1]]

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.directory is None) == (self.s3 is None):
            raise ValueError("needs either directory or s3: set one of the two")
        return self
