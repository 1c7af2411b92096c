"""Resumable uploads. Their progress is kept in storage, so that any replica can resume them."""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta

from file_transfer import conditions, digests, lifetime, names
from file_transfer.bodies import CutShortError
from file_transfer.catalogue import Catalogue, stored_file
from file_transfer.errors import RefusedError
from file_transfer.hashing import ConcurrentHash
from file_transfer.storage import (
    UPLOADS,
    Chunk,
    ConflictError,
    Data,
    StorageUnavailableError,
    UnknownRecordError,
    blocks,
)
from file_transfer.stored_file import now
from file_transfer.upload import Upload

KEPT = timedelta(days=1)
"""How long an upload is kept without receiving more bytes."""

_CHECKPOINT = 64 * 1024 * 1024
"""Bytes after which the progress of an upload is recorded. A killed replica loses at most this much."""

_PUBLISHING = timedelta(minutes=15)
"""How long a replica may take to publish a complete upload. After that, another replica may publish it."""

_MAX_CHUNKS = 50_000


class UnknownUploadError(LookupError):
    """There is no such upload, or it has expired."""


class Uploads:
    """The resumable uploads of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._storage = catalogue.storage

    def create(self, length: int, metadata: dict[str, str]) -> tuple[str, Upload]:
        """Create an upload of `length` bytes. Return its identifier and the upload.

        Raises:
            RefusedError: the metadata is invalid (400) or its condition does not hold (412), or the file is too
                large (413) or there is no space for it (507).
        """
        upload = Upload(length=length, metadata=metadata, created=now(), expires=now() + KEPT)
        name, _ = _name(upload), _sha256(upload)
        lifetime.parse(metadata, now())
        _condition(upload).check_change(self._catalogue.find(name))
        self._catalogue.limits.check(length)
        identifier = uuid.uuid4().hex
        version = self._storage.write(UPLOADS, identifier, upload.to_record(), None)
        if length == 0:
            upload = self._publish(identifier, upload, version, hashlib.sha256().hexdigest())
        return identifier, upload

    def look_up(self, identifier: str) -> Upload:
        """Return the upload. If a replica died while it published the upload, it is published first.

        Raises:
            UnknownUploadError: there is no such upload.
            RefusedError: 423 if the upload is being published.
        """
        return self._recover(identifier)[0]

    def append(self, identifier: str, offset: int, content: Iterator[Data], checksum: str | None) -> Upload:
        """Append bytes at the offset. The last byte publishes the file.

        If the connection breaks, the bytes received so far are kept, unless the request has a checksum.

        Raises:
            UnknownUploadError: there is no such upload.
            RefusedError: the offset is wrong (409), the checksum does not match (460), or publishing is refused.
        """
        upload, version = self._recover(identifier)
        if upload.offset != offset:
            raise RefusedError(409, f"the upload continues at {upload.offset}, not at {offset}")
        expected = digests.parse_checksum(checksum) if checksum is not None else None
        content = iter(content)
        file_hash = ConcurrentHash() if offset == 0 else None
        while upload.offset < upload.length:
            chunks, cut_short = self._receive(content, upload, expected, file_hash)
            received = sum(chunk.size for chunk in chunks)
            upload = replace(
                upload, offset=upload.offset + received, chunks=(*upload.chunks, *chunks), expires=now() + KEPT
            )
            if received:
                version = self._write(identifier, upload, version, chunks)
            if upload.offset == upload.length:
                # Only the process that has written this record publishes, however many have received the last bytes.
                digest = file_hash.hexdigest() if file_hash else self._digest(upload)
                upload = self._publish(identifier, upload, version, digest)
            elif cut_short:
                raise cut_short
            elif received < _CHECKPOINT or expected:
                break
        return upload

    def remove(self, identifier: str) -> None:
        """Cancel the upload and discard its chunks.

        Raises:
            UnknownUploadError: there is no such upload.
            RefusedError: 409 if another request is changing it.
        """
        upload, version = self._look_up(identifier)
        try:
            self._storage.remove(UPLOADS, identifier, version)
        except ConflictError:
            raise _busy() from None
        self._storage.discard(upload.chunks)

    def _receive(
        self,
        content: Iterator[Data],
        upload: Upload,
        expected: tuple[str, bytes] | None,
        file_hash: ConcurrentHash | None,
    ) -> tuple[list[Chunk], CutShortError | None]:
        """Receive up to a checkpoint. Return the chunks, and the error if the connection broke."""
        checksum = ConcurrentHash(expected[0]) if expected else None
        size, cut_short = 0, None
        with self._storage.receive() as incoming:
            try:
                for data in content:
                    size += len(data)
                    if upload.offset + size > upload.length:
                        raise RefusedError(413, f"received more than the {upload.length} bytes of the upload")
                    for digest in (checksum, file_hash):
                        if digest:
                            digest.update(data)
                    incoming.write(data)
                    if size >= _CHECKPOINT and not checksum:
                        break
            except CutShortError as error:
                if checksum:
                    raise
                cut_short = error
            if expected and checksum and checksum.digest() != expected[1]:
                raise RefusedError(460, "the content does not match its Upload-Checksum: send it again")
            if len(upload.chunks) > _MAX_CHUNKS:
                raise RefusedError(413, "the upload was sent in too many requests: send more bytes with each")
            return incoming.keep(), cut_short

    def _publish(self, identifier: str, upload: Upload, version: str, sha256: str) -> Upload:
        try:
            try:
                digests.check(_sha256(upload), sha256)
            except RefusedError:
                self._storage.discard(upload.chunks)
                raise
            # Relative to the creation, since an upload can end after its file was to expire.
            requested = lifetime.parse(upload.metadata, upload.created)
            file = stored_file(_name(upload), upload.chunks, upload.length, sha256, requested)
            self._catalogue.publish(file, _condition(upload))
        except RefusedError:
            self._storage.remove(UPLOADS, identifier, version)
            raise
        except StorageUnavailableError:
            with suppress(StorageUnavailableError, RefusedError):
                # Let the next request try again at once.
                self._write(identifier, replace(upload, expires=now() + KEPT - _PUBLISHING), version)
            raise
        self._catalogue.limits.add_used(file.size)
        published = replace(upload, chunks=(), published=True, sha256=sha256)
        self._write(identifier, published, version)
        return published

    def _digest(self, upload: Upload) -> str:
        """Compute the SHA-256 of the stored chunks, since a running hash cannot move from one replica to another."""
        digest = hashlib.sha256()
        with closing(self._storage.open(upload.chunks, 0, upload.length)) as content:
            for data in blocks(content):
                digest.update(data)
        return digest.hexdigest()

    def _write(self, identifier: str, upload: Upload, version: str, added: Sequence[Chunk] = ()) -> str:
        try:
            return self._storage.write(UPLOADS, identifier, upload.to_record(), version)
        except ConflictError:
            self._storage.discard(added)
            raise _busy() from None

    def _recover(self, identifier: str) -> tuple[Upload, str]:
        """Return the upload and its version, after publishing it if another replica failed to.

        The version is stale if the upload was published here.
        """
        upload, version = self._look_up(identifier)
        if upload.offset == upload.length and not upload.published:
            if now() < upload.expires - KEPT + _PUBLISHING:
                raise RefusedError(423, "the upload is being published: try again in a moment")
            version = self._write(identifier, replace(upload, expires=now() + KEPT), version)
            upload = self._publish(identifier, upload, version, self._digest(upload))
        return upload, version

    def _look_up(self, identifier: str) -> tuple[Upload, str]:
        try:
            record = self._storage.read(UPLOADS, identifier)
        except UnknownRecordError:
            raise UnknownUploadError(identifier) from None
        upload = Upload.from_record(record.content)
        if upload.is_expired(now()):
            raise UnknownUploadError(identifier)
        return upload, record.version


def _name(upload: Upload) -> str:
    return names.checked(upload.metadata.get("filename") or upload.metadata.get("name"))


def _sha256(upload: Upload) -> str | None:
    text = upload.metadata.get("sha256")
    return digests.from_hex(text) if text else None


def _condition(upload: Upload) -> conditions.Conditions:
    return conditions.parse({name: upload.metadata.get(name.lower()) for name in ("If-Match", "If-None-Match")})


def _busy() -> RefusedError:
    return RefusedError(409, "another request is changing this upload: ask for its offset with HEAD")
