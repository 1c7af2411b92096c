"""Downloads that resume after a broken connection and never mix two versions of a file."""

from file_transfer_client import digests
from file_transfer_client.api import Api, path_of
from file_transfer_client.errors import BrokenError, ClientError, RefusedError
from file_transfer_client.progress import Progress
from file_transfer_client.responses import blocks
from file_transfer_client.stored import Stored
from file_transfer_client.target import Target


def fetch(api: Api, name: str, target: Target, progress: Progress) -> Stored:
    """Download a whole file into the target.

    Raises:
        ClientError: the download was refused, or failed for good.
        DamagedError: the content does not have the SHA-256 that the server states.
        OSError: the target cannot be written.
    """
    api.retry(lambda: _attempt(api, name, target, progress), lambda: target.position)
    sha256, expected = target.sha256(), digests.sha256_in({"ETag": target.etag})
    if sha256 != expected:
        raise DamagedError(f"the download has SHA-256 {sha256}, not {expected}, and was not kept: get it again")
    return Stored(name, target.position, sha256)


class DamagedError(ClientError):
    """The content does not match its digest."""


def _attempt(api: Api, name: str, target: Target, progress: Progress) -> None:
    range_headers = {"Range": f"bytes={target.position}-", "If-Range": target.etag} if target.position else {}
    try:
        response = api.request("GET", path_of(name), headers=range_headers)
    except RefusedError as error:
        # With If-Range another version would have been sent whole, so it is the same one and nothing is missing.
        if range_headers and error.status == 416:
            return
        raise
    with response:
        etag = response.headers.get("ETag", "")
        if response.status_code == 206:
            if etag != target.etag or not response.headers.get("Content-Range", "").startswith(
                f"bytes {target.position}-"
            ):
                raise ClientError("the server sent a range that was not asked for: do not trust this server")
        else:
            if digests.sha256_in({"ETag": etag}) is None:
                raise ClientError("the server does not state a SHA-256: is this the address of a file-transfer server?")
            target.begin(etag)
        size = response.headers.get("Content-Length", "")
        total = target.position + int(size) if size.isdecimal() else None
        for block in blocks(response):
            target.write(block)
            progress.show(target.position, total)
    # urllib3 before version 2 does not report content that is cut short.
    if total is not None and target.position < total:
        raise BrokenError(f"received {target.position} of {total} bytes")
