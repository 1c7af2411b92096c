"""Fetching a file, from where it broke off, and never half of one version and half of another."""

from file_transfer.client import digests
from file_transfer.client.answers import chunks
from file_transfer.client.api import Api, path_of
from file_transfer.client.errors import BrokenError, ClientError, RefusedError
from file_transfer.client.progress import Progress
from file_transfer.client.stored import Stored
from file_transfer.client.target import Target


def fetch(api: Api, name: str, target: Target, progress: Progress) -> Stored:
    """Bring a whole file into the target.

    Raises:
        ClientError: it was refused, or did not come.
        DamagedError: what came is not what the server says it is.
        OSError: it cannot be written.
    """
    api.persist(lambda: _attempt(api, name, target, progress), lambda: target.position)
    sha256, stated = target.sha256(), digests.stated({"ETag": target.etag})
    if sha256 != stated:
        raise DamagedError(f"what came has SHA-256 {sha256}, not {stated}: it was not kept; get it again")
    return Stored(name, target.position, sha256)


class DamagedError(ClientError):
    """The content does not agree with its digest."""


def _attempt(api: Api, name: str, target: Target, progress: Progress) -> None:
    part = {"Range": f"bytes={target.position}-", "If-Range": target.etag} if target.position else {}
    try:
        answer = api.ask("GET", path_of(name), headers=part)
    except RefusedError as error:
        if part and error.status == 416:  # the version is the same, or If-Range would have asked for all: it is whole
            return
        raise
    with answer:
        etag = answer.headers.get("ETag", "")
        if answer.status_code == 206:
            if etag != target.etag or not answer.headers.get("Content-Range", "").startswith(
                f"bytes {target.position}-"
            ):
                raise ClientError("the server sends a part that was not asked for: use no such server")
        else:
            if digests.stated({"ETag": etag}) is None:
                raise ClientError("the server says no SHA-256 of it: it is no file-transfer server of this kind")
            target.begin(etag)
        size = answer.headers.get("Content-Length", "")
        total = target.position + int(size) if size.isdecimal() else None
        for chunk in chunks(answer):
            target.write(chunk)
            progress.at(target.position, total)
    # urllib3 before version 2 takes what is cut short for whole.
    if total is not None and target.position < total:
        raise BrokenError(f"{target.position} of {total} bytes came")
