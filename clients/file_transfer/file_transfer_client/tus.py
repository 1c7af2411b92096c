"""Uploads of large files by tus 1.0 (https://tus.io), which resume where the last attempt broke off."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

from file_transfer_client import digests
from file_transfer_client.api import Api
from file_transfer_client.errors import BrokenError, RefusedError
from file_transfer_client.progress import Progress
from file_transfer_client.responses import local_path
from file_transfer_client.resume_store import ResumeStore
from file_transfer_client.source import SizedContent, Source
from file_transfer_client.stored import Options, Stored

_PROTOCOL = {"Tus-Resumable": "1.0.0"}


class ResumableUpload:
    """One upload of an open file, which may take several requests, servers and runs of the client.

    The client asks for "no overwrite" when it creates the upload. The server checks it then, and again when it
    publishes the file.
    """

    def __init__(self, api: Api, path: Path, source: Source, name: str, options: Options, progress: Progress) -> None:
        self._api = api
        self._resume_store = ResumeStore()
        self._source = source
        self._name = name
        self._options = options
        self._progress = progress
        # Sorted, since the same servers in another order are the same cluster.
        servers, limits = ",".join(sorted(api.servers)), str(options)
        self._key = ("put", servers, str(path.resolve()), source.size, source.modified, name, limits)
        self._confirmed = 0
        self._server_sha256: str | None = None

    def run(self) -> Stored:
        """Send the whole file, and compare its SHA-256 with the server's.

        Raises:
            ClientError: the upload was refused, failed for good, arrived damaged, or the file changed meanwhile.
        """
        self._api.retry(self._attempt, lambda: self._confirmed)
        self._resume_store.forget(self._key)
        sent = Stored(self._name, self._source.size, self._source.sha256())
        try:
            return sent.verified(self._server_sha256 or self._api.retry(lambda: self._api.sha256(self._name)))
        except RefusedError as error:
            if error.status != 403:
                raise
            print(f"note: {self._name} is stored, but could not be verified: {error}", file=sys.stderr)
            return sent

    def _attempt(self) -> None:
        location = self._resume_store.load(self._key)
        offset = self._offset(location) if location else None
        if location is None or offset is None:
            # A finished upload may be forgotten by the server. Perhaps only the last response was lost.
            if location and self._is_stored():
                return
            location, offset = self._create(), 0
        self._confirmed = max(self._confirmed, offset)
        # If the server has every byte but ended before it published the file, an empty PATCH makes it publish.
        if offset < self._source.size or not self._is_stored():
            self._send(location, offset)

    def _offset(self, location: str) -> int | None:
        """Return how many bytes the server has, or None if it no longer knows the upload."""
        try:
            with self._api.request("HEAD", location, headers=_PROTOCOL) as response:
                length, offset = response.headers.get("Upload-Length"), response.headers.get("Upload-Offset", "")
        except RefusedError as error:
            if error.status in (404, 410):
                return None
            raise
        return int(offset) if length == str(self._source.size) and offset.isdecimal() else None

    def _is_stored(self) -> bool:
        try:
            return self._api.sha256(self._name) == self._source.sha256()
        except RefusedError:  # the token may not read, so nobody can tell
            return False

    def _create(self) -> str:
        pairs = {"filename": self._name, **self._options.limits()}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
        headers = {**_PROTOCOL, "Upload-Length": str(self._source.size), "Upload-Metadata": metadata}
        if not self._options.overwrite:
            headers["If-None-Match"] = "*"
        with self._api.request("POST", "/uploads", headers=headers) as response:
            location = local_path(response, response.headers.get("Location", ""))
        self._resume_store.save(self._key, location)
        return location

    def _send(self, location: str, offset: int) -> None:
        headers = {**_PROTOCOL, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        content = self._with_progress(self._source.content_from(offset), offset)
        try:
            with self._api.request("PATCH", location, headers=headers, body=content) as response:
                received = response.headers.get("Upload-Offset")
                self._server_sha256 = digests.sha256_in(response.headers)
        except RefusedError as error:
            if error.status in (409, 423):  # a replica still works on what it got before the connection broke
                raise BrokenError(str(error)) from error
            raise
        if received != str(self._source.size):
            raise BrokenError(f"the server has {received} of {self._source.size} bytes")

    def _with_progress(self, content: SizedContent, start: int) -> SizedContent:
        def blocks() -> Iterator[bytes]:
            position = start
            for block in content:
                position += len(block)
                self._progress.show(position, self._source.size)
                yield block

        return SizedContent(blocks(), len(content))
