"""A file that is too large to begin again: sent by tus 1.0 (https://tus.io), from where it broke off last time."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

from file_transfer.client import digests
from file_transfer.client.answers import local_path
from file_transfer.client.api import Api
from file_transfer.client.begun import Begun
from file_transfer.client.errors import BrokenError, RefusedError
from file_transfer.client.progress import Progress
from file_transfer.client.source import Pieces, Source
from file_transfer.client.stored import Options, Stored

_PROTOCOL = {"Tus-Resumable": "1.0.0"}


class ResumableUpload:
    """One upload of an open file; it takes as many requests, runs and servers as it takes.

    That a name is to be free is said when an upload begins; the server minds it then and when the file is published.
    """

    def __init__(self, api: Api, path: Path, source: Source, name: str, options: Options, progress: Progress) -> None:
        self._api = api
        self._begun = Begun()
        self._source = source
        self._name = name
        self._options = options
        self._progress = progress
        # The same servers in another order are the same cluster.
        servers, limits = ",".join(sorted(api.servers)), str(options)
        self._key = ("put", servers, str(path.resolve()), source.size, source.modified, name, limits)
        self._confirmed = 0
        self._stated: str | None = None

    def run(self) -> Stored:
        """Send all of it, and compare what the server has.

        Raises:
            ClientError: it was refused, did not arrive whole, or changed meanwhile.
        """
        self._api.persist(self._attempt, lambda: self._confirmed)
        self._begun.forget(self._key)
        sent = Stored(self._name, self._source.size, self._source.sha256())
        try:
            return sent.compared(self._stated or self._api.persist(lambda: self._api.digest(self._name)))
        except RefusedError as error:
            if error.status != 403:
                raise
            print(f"note: {self._name} is stored, but not compared: {error}", file=sys.stderr)
            return sent

    def _attempt(self) -> None:
        location = self._begun.word(self._key)
        offset = self._offset(location) if location else None
        if location is None or offset is None:
            # An upload that has its last byte may be gone: perhaps only the answer was lost.
            if location and self._is_stored():
                return
            location, offset = self._create(), 0
        self._confirmed = max(self._confirmed, offset)
        # All bytes may be there, and the server have ended before it published them: nothing more is sent to say so.
        if offset < self._source.size or not self._is_stored():
            self._send(location, offset)

    def _offset(self, location: str) -> int | None:
        """How many bytes the server has; None if it knows no such upload any more."""
        try:
            with self._api.ask("HEAD", location, headers=_PROTOCOL) as answer:
                length, offset = answer.headers.get("Upload-Length"), answer.headers.get("Upload-Offset", "")
        except RefusedError as error:
            if error.status in (404, 410):
                return None
            raise
        return int(offset) if length == str(self._source.size) and offset.isdecimal() else None

    def _is_stored(self) -> bool:
        try:
            return self._api.digest(self._name) == self._source.sha256()
        except RefusedError:  # the token may not read: nobody knows
            return False

    def _create(self) -> str:
        words = {"filename": self._name, **self._options.limits()}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in words.items())
        headers = {**_PROTOCOL, "Upload-Length": str(self._source.size), "Upload-Metadata": metadata}
        if not self._options.overwrite:
            headers["If-None-Match"] = "*"
        with self._api.ask("POST", "/uploads", headers=headers) as answer:
            location = local_path(answer, answer.headers.get("Location", ""))
        self._begun.keep(self._key, location)
        return location

    def _send(self, location: str, offset: int) -> None:
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        content = self._shown(self._source.pieces(offset), offset)
        try:
            with self._api.ask("PATCH", location, headers={**_PROTOCOL, **kind}, body=content) as answer:
                arrived = answer.headers.get("Upload-Offset")
                self._stated = digests.stated(answer.headers)
        except RefusedError as error:
            if error.status in (409, 423):  # a replica is still busy with what came before the connection broke
                raise BrokenError(str(error)) from error
            raise
        if arrived != str(self._source.size):
            raise BrokenError(f"the server has {arrived} of {self._source.size} bytes")

    def _shown(self, pieces: Pieces, position: int) -> Pieces:
        def content() -> Iterator[bytes]:
            at = position
            for piece in pieces:
                at += len(piece)
                self._progress.at(at, self._source.size)
                yield piece

        return Pieces(content(), len(pieces))
