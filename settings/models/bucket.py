"""A bucket of an object store outside the cluster, for the files or for the backups."""

from typing import Annotated

from pydantic import Field

from settings.models.base import Model


class Bucket(Model):
    """A bucket of another object store, which must speak S3 with conditional writes."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/\s]+$")]
    bucket: str
    region: str = "us-east-1"
    prefix: str = ""
    access_key: str
