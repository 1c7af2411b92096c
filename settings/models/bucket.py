"""A bucket of an object store outside the cluster, for the files or for the backups."""

from typing import Annotated

from settings.models.base import Model, matching


class Bucket(Model):
    """A bucket of another object store, which must speak S3 with conditional writes."""

    endpoint: Annotated[str, matching(r"https?://[^/\s]+", "an address without a path, such as https://s3.example.org")]
    bucket: str
    region: str = "us-east-1"
    prefix: str = ""
    access_key: str
