"""Uploads: small files and streams in one request, large files by tus."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from file_transfer_client import digests
from file_transfer_client.api import Api, path_of
from file_transfer_client.errors import BrokenError, ClientError, RefusedError
from file_transfer_client.progress import Progress
from file_transfer_client.responses import BLOCK_BYTES
from file_transfer_client.source import Source
from file_transfer_client.stored import Options, Stored
from file_transfer_client.tus import ResumableUpload

SMALL_BYTES = 8 * 2**20


def put(api: Api, path: Path, name: str, options: Options, progress: Progress) -> Stored:
    """Store a file under a name.

    Raises:
        ClientError: the upload was refused, failed for good, or the file changed meanwhile.
        OSError: the file cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ClientError('this is not a regular file: put files one by one, and anything else as "-" with --as')
    with path.open("rb", buffering=0) as file:
        source = Source(file)
        if source.size > SMALL_BYTES:
            return ResumableUpload(api, path, source, name, options, progress).run()
        return _put_small(api, file.read(), name, options)


def put_stream(api: Api, stream: BinaryIO, name: str, options: Options, progress: Progress) -> Stored:
    """Store everything that a stream yields. It cannot be read twice, so a broken upload cannot be resumed.

    Raises:
        ClientError: the upload was refused or failed.
    """
    sha256, size = hashlib.sha256(), 0

    def content() -> Iterator[bytes]:
        nonlocal size
        while block := stream.read(BLOCK_BYTES):
            sha256.update(block)
            size += len(block)
            progress.show(size, None)
            yield block

    def attempt() -> str | None:
        try:
            return _put(api, name, content(), _headers(options), options)
        except BrokenError as error:
            if size:
                raise ClientError(f"{error}: the input cannot be read again: run the whole pipeline again") from error
            raise

    server_sha256 = api.retry(attempt)
    return Stored(name, size, sha256.hexdigest()).verified(server_sha256)


def _put_small(api: Api, content: bytes, name: str, options: Options) -> Stored:
    sent = Stored(name, len(content), hashlib.sha256(content).hexdigest())
    headers = {**_headers(options), "Repr-Digest": digests.repr_digest(sent.sha256)}
    tries = 0

    def attempt() -> str | None:
        nonlocal tries
        tries += 1
        try:
            return _put(api, name, content, headers, options)
        except RefusedError as error:
            if error.status != 412 or tries == 1:
                raise
            refused = error
        # The file in the way may be this very one: an earlier try stored it and only its response was lost.
        if api.sha256(name) != sent.sha256:
            raise refused
        return sent.sha256

    return sent.verified(api.retry(attempt))


def _put(
    api: Api, name: str, content: bytes | Iterator[bytes], headers: dict[str, str], options: Options
) -> str | None:
    with api.request("PUT", path_of(name), headers=headers, params=options.limits(), body=content) as response:
        return digests.sha256_in(response.headers)


def _headers(options: Options) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    return headers if options.overwrite else {**headers, "If-None-Match": "*"}
