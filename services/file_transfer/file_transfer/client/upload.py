"""Storing a file: a small one, or one whose size nobody knows, in one request; others in as many as it takes."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from file_transfer.client import digests
from file_transfer.client.answers import CHUNK_BYTES
from file_transfer.client.api import Api, path_of
from file_transfer.client.errors import BrokenError, ClientError, RefusedError
from file_transfer.client.progress import Progress
from file_transfer.client.source import Source
from file_transfer.client.stored import Options, Stored
from file_transfer.client.tus import ResumableUpload
from file_transfer.digests import field

SMALL_BYTES = 8 * 2**20


def put(api: Api, path: Path, name: str, options: Options, progress: Progress) -> Stored:
    """Store a file under a name.

    Raises:
        ClientError: it was refused, did not arrive, or changed meanwhile.
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ClientError("it is no file: put files one by one, and anything else as «-» with --as")
    with path.open("rb", buffering=0) as file:
        source = Source(file)
        if source.size > SMALL_BYTES:
            return ResumableUpload(api, path, source, name, options, progress).run()
        return _put_small(api, file.read(), name, options)


def put_stream(api: Api, stream: BinaryIO, name: str, options: Options, progress: Progress) -> Stored:
    """Store all that comes from a stream, which cannot be read twice.

    Raises:
        ClientError: it was refused, or did not arrive.
    """
    sha256, size = hashlib.sha256(), 0

    def content() -> Iterator[bytes]:
        nonlocal size
        while chunk := stream.read(CHUNK_BYTES):
            sha256.update(chunk)
            size += len(chunk)
            progress.at(size, None)
            yield chunk

    def attempt() -> str | None:
        try:
            return _put(api, name, content(), _headers(options), options)
        except BrokenError as error:
            if size:
                raise ClientError(f"{error}: what was read is gone: give all of it once more") from error
            raise

    stated = api.persist(attempt)
    return Stored(name, size, sha256.hexdigest()).compared(stated)


def _put_small(api: Api, content: bytes, name: str, options: Options) -> Stored:
    sent = Stored(name, len(content), hashlib.sha256(content).hexdigest())
    headers = {**_headers(options), "Repr-Digest": field(sent.sha256)}
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
        # The file that is in the way may be this very one, of which only the answer was lost.
        if api.digest(name) != sent.sha256:
            raise refused
        return sent.sha256

    return sent.compared(api.persist(attempt))


def _put(
    api: Api, name: str, content: bytes | Iterator[bytes], headers: dict[str, str], options: Options
) -> str | None:
    with api.ask("PUT", path_of(name), headers=headers, params=options.limits(), body=content) as answer:
        return digests.stated(answer.headers)


def _headers(options: Options) -> dict[str, str]:
    headers = {"Content-Type": "application/octet-stream"}
    return headers if options.overwrite else {**headers, "If-None-Match": "*"}
