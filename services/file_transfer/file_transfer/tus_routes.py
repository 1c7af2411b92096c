"""The routes under /uploads: resumable uploads by tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

import base64
import binascii
from collections.abc import Callable

from bottle import HTTPResponse, request, response

from file_transfer import access, bodies, conditions, digests, headers, lifetime, metrics, responses, whole_numbers
from file_transfer.catalogue import Catalogue
from file_transfer.errors import InvalidRequestError, UnsupportedMethodError, UnsupportedTypeError
from file_transfer.slots import Slots
from file_transfer.upload import Upload
from file_transfer.uploads import Uploads

VERSION = "1.0.0"
_CONTENT_TYPE = "application/offset+octet-stream"
_MAX_METADATA_BYTES = 8192
_METADATA_KEYS = frozenset({"filename", "name", "sha256", "if-match", "if-none-match", *lifetime.FIELDS})
_METADATA_HEADER = "upload-metadata"
"""The key under which an upload's metadata has the whole header, which HEAD returns as the client sent it."""


class TusRoutes:
    """The methods of the tus protocol."""

    def __init__(self, catalogue: Catalogue, slots: Slots) -> None:
        self._uploads = Uploads(catalogue)
        self._slots = slots
        self._max_size = catalogue.limits.max_file

    def options(self, identifier: str = "") -> HTTPResponse:  # noqa: ARG002 - the same for all uploads
        """Return the versions and extensions of the protocol that the server supports."""
        return responses.empty(
            204,
            Tus_Version=VERSION,
            Tus_Extension="creation,creation-with-upload,termination,checksum,expiration",
            Tus_Max_Size=str(self._max_size),
            Tus_Checksum_Algorithm="sha256,sha1",
        )

    def create(self) -> HTTPResponse:
        """Create an upload, and store its first bytes if the request contains any."""
        length = _byte_count("Upload-Length")
        metadata = _metadata(headers.REQUEST.get("Upload-Metadata", ""))
        for name in ("If-Match", "If-None-Match"):
            if condition := headers.REQUEST.get(name):
                metadata[name.lower()] = condition  # checked again when the file is published
        access.new_name(metadata.get("filename") or metadata.get("name"))
        upload = self._uploads.create(length, access.with_ttl(metadata), access.owner())
        if length and _has_content():
            with self._slots.take(headers.client()):
                upload = self._append(upload, 0)
        # A path without a host, which is correct behind any proxy.
        return _response(201, upload, Location=f"/uploads/{upload.id.hex}")

    def head(self, identifier: str) -> HTTPResponse:
        """Return the offset at which the upload continues."""
        upload = self._uploads.confirmed(self._granted(identifier))
        metadata = upload.metadata.get(_METADATA_HEADER)
        return _response(
            200,
            upload,
            Upload_Length=str(upload.length),
            Cache_Control="no-store",
            **({"Upload_Metadata": metadata} if metadata else {}),
        )

    def append(self, identifier: str) -> HTTPResponse:
        """Append bytes at an offset."""
        if not _has_content():
            raise UnsupportedTypeError(f"send the bytes as Content-Type: {_CONTENT_TYPE}")
        offset = _byte_count("Upload-Offset")
        with self._slots.take(headers.client()):
            upload = self._append(self._granted(identifier), offset)
        return _response(204, upload)

    def remove(self, identifier: str) -> HTTPResponse:
        """Cancel the upload."""
        self._uploads.remove(self._granted(identifier))
        return responses.empty(204)

    def method_override(self, identifier: str) -> HTTPResponse:
        """Handle a POST as the method in X-HTTP-Method-Override, for clients that can only POST."""
        handlers: dict[str, Callable[[str], HTTPResponse]] = {
            "PATCH": self.append,
            "HEAD": self.head,
            "DELETE": self.remove,
        }
        handler = handlers.get(headers.REQUEST.get("X-HTTP-Method-Override", "").upper())
        if not handler:
            raise UnsupportedMethodError("POST to an upload needs X-HTTP-Method-Override: PATCH, HEAD or DELETE")
        return handler(identifier)

    def _granted(self, identifier: str) -> Upload:
        """Return the upload, if the token is for the name of its file."""
        upload = self._uploads.find(identifier)
        access.name(upload.file_name())
        return upload

    def _append(self, upload: Upload, offset: int) -> Upload:
        size = headers.content_length()
        content = bodies.blocks(request.environ["wsgi.input"], size)
        checksum = headers.REQUEST.get("Upload-Checksum")
        upload = self._uploads.append(upload, offset, content, checksum, None if size < 0 else size)
        metrics.RECEIVED.inc(upload.offset - offset)
        return upload


def version_checked(handler: Callable[..., HTTPResponse]) -> Callable[..., HTTPResponse]:
    """Return the handler with a check before it: 412 if the client uses another version of the protocol."""

    def handle(**arguments: str) -> HTTPResponse:
        if headers.REQUEST.get("Tus-Resumable") == VERSION:
            return handler(**arguments)
        refusal = responses.error(412, f"send Tus-Resumable: {VERSION}", "precondition_failed")
        refusal.set_header("Tus-Version", VERSION)
        return refusal

    return handle


def add_version() -> None:
    """Add the version of the protocol to the current response, whatever it is, if the path belongs to the protocol."""
    if request.path == "/uploads" or request.path.startswith("/uploads/"):
        response.set_header("Tus-Resumable", VERSION)


def _has_content() -> bool:
    return headers.content_type().partition(";")[0].strip().lower() == _CONTENT_TYPE


def _response(status: int, upload: Upload, **headers: str) -> HTTPResponse:
    if upload.sha256:
        headers |= {"ETag": f'"{upload.sha256}"', "Repr_Digest": digests.repr_digest(upload.sha256)}
    expires = conditions.http_date(upload.expires)
    return responses.empty(status, Upload_Offset=str(upload.offset), Upload_Expires=expires, **headers)


def _byte_count(header: str) -> int:
    text = headers.REQUEST.get(header, "")
    count = whole_numbers.parse(text)
    if count is None:
        raise InvalidRequestError(f"{header} is {text[:40]!a}: send a number of bytes")
    return count


def _metadata(header: str) -> dict[str, str]:
    """Parse Upload-Metadata: pairs separated by commas, each a key, a space, and the value in base64.

    Clients may send other keys than ours, with values that are not text. They are kept in the header only.
    """
    if len(header) > _MAX_METADATA_BYTES:
        raise InvalidRequestError(f"Upload-Metadata has more than {_MAX_METADATA_BYTES} bytes")
    if not (header.isascii() and header.isprintable()):
        raise InvalidRequestError("Upload-Metadata is not printable ASCII: send keys, and their values in base64")
    metadata: dict[str, str] = {}
    keys = set()
    for pair in filter(None, (pair.strip() for pair in header.split(","))):
        key, _, encoded = pair.partition(" ")
        key = key.lower()
        if key in keys:
            raise InvalidRequestError(f"Upload-Metadata has the key {key[:40]!a} twice: send it once")
        keys.add(key)
        try:
            value = base64.b64decode(encoded, validate=True)
            if key in _METADATA_KEYS:
                metadata[key] = value.decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidRequestError(f"Upload-Metadata: the value of {key[:40]!a} is not text in base64") from None
    return {**metadata, _METADATA_HEADER: header} if header else metadata
