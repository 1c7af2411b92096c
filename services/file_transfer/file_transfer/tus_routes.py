"""Resumable uploads under /uploads, as tus 1.0.0 describes them (https://tus.io/protocols/resumable-upload)."""

import base64
import binascii
from typing import TYPE_CHECKING

from bottle import HTTPResponse, request

from file_transfer import answers, bodies, conditions, digests, headers, metrics
from file_transfer.catalogue import Catalogue
from file_transfer.errors import RefusedError
from file_transfer.slots import Slots
from file_transfer.upload import Upload
from file_transfer.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "1.0.0"
_CONTENT_TYPE = "application/offset+octet-stream"
_METADATA_BYTES = 8192


class TusRoutes:
    """The protocol over a catalogue's uploads."""

    def __init__(self, catalogue: Catalogue, slots: Slots) -> None:
        self._uploads = Uploads(catalogue)
        self._slots = slots
        self._max_size = catalogue.limits.max_file

    def options(self, identifier: str = "") -> HTTPResponse:  # noqa: ARG002 - the same for all
        """What this server can do."""
        return answers.empty(
            204,
            Tus_Resumable=VERSION,
            Tus_Version=VERSION,
            Tus_Extension="creation,creation-with-upload,termination,checksum,expiration",
            Tus_Max_Size=str(self._max_size),
            Tus_Checksum_Algorithm="sha256,sha1",
        )

    def create(self) -> HTTPResponse:
        """Begin an upload, with its first bytes if they come along."""
        length = _number("Upload-Length")
        metadata = _metadata(headers.ALL.get("Upload-Metadata", ""))
        for name in ("If-Match", "If-None-Match"):
            if condition := headers.ALL.get(name):
                metadata[name.lower()] = condition  # it is to hold when the file is published, too
        identifier, upload = self._uploads.create(length, metadata)
        if length and _has_bytes():
            upload = self._append(identifier, 0)
        # A path without a host: right behind any proxy.
        return _answer(201, upload, Location=f"/uploads/{identifier}")

    def head(self, identifier: str) -> HTTPResponse:
        """Where it goes on."""
        upload = self._uploads.look_up(identifier)
        return _answer(200, upload, Upload_Length=str(upload.length), Cache_Control="no-store")

    def append(self, identifier: str) -> HTTPResponse:
        """Bytes from an offset on."""
        if not _has_bytes():
            raise RefusedError(415, f"send the bytes as Content-Type: {_CONTENT_TYPE}")
        return _answer(204, self._append(identifier, _number("Upload-Offset")))

    def remove(self, identifier: str) -> HTTPResponse:
        """Give it up."""
        self._uploads.remove(identifier)
        return answers.empty(204, Tus_Resumable=VERSION)

    def overridden(self, identifier: str) -> HTTPResponse:
        """For clients that can only POST."""
        handlers: dict[str, Callable[[str], HTTPResponse]] = {
            "PATCH": self.append,
            "HEAD": self.head,
            "DELETE": self.remove,
        }
        handler = handlers.get(headers.ALL.get("X-HTTP-Method-Override", "").upper())
        if not handler:
            raise RefusedError(405, "POST needs X-HTTP-Method-Override here: PATCH, HEAD or DELETE")
        return handler(identifier)

    def _append(self, identifier: str, offset: int) -> Upload:
        with self._slots.take():
            content = bodies.chunks(request.environ["wsgi.input"], request.content_length)
            upload = self._uploads.append(identifier, offset, content, headers.ALL.get("Upload-Checksum"))
        metrics.RECEIVED.inc(upload.offset - offset)
        return upload


def check_version() -> None:
    """Refuse a client that speaks another version.

    Raises:
        RefusedError: 412.
    """
    if headers.ALL.get("Tus-Resumable") != VERSION:
        raise RefusedError(412, f"send Tus-Resumable: {VERSION}")


def _has_bytes() -> bool:
    return headers.content_type().partition(";")[0].strip().lower() == _CONTENT_TYPE


def _answer(status: int, upload: Upload, **headers: str) -> HTTPResponse:
    if upload.sha256:
        headers |= {"ETag": f'"{upload.sha256}"', "Repr_Digest": digests.field(upload.sha256)}
    expires = conditions.written(upload.expires)
    return answers.empty(
        status, Tus_Resumable=VERSION, Upload_Offset=str(upload.offset), Upload_Expires=expires, **headers
    )


def _number(header: str) -> int:
    text = headers.ALL.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise RefusedError(400, f"{header} is {text[:40]!a}: send a whole number of bytes")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """Keys and values of Upload-Metadata: pairs between commas, a blank between key and value, the value in base64."""
    if len(header) > _METADATA_BYTES:
        raise RefusedError(400, f"Upload-Metadata has more than {_METADATA_BYTES} bytes")
    found = {}
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key.lower()] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise RefusedError(400, f"Upload-Metadata: {key[:40]!a} is no text in base64") from None
    return found
