"""Resumable uploads: what has arrived of each, in storage, so that any replica can go on."""

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
    ConflictError,
    Data,
    Piece,
    StorageUnavailableError,
    UnknownRecordError,
    in_parts,
)
from file_transfer.stored_file import now
from file_transfer.upload import Upload

KEPT = timedelta(days=1)
"""How long an upload waits for its next bytes."""

_CHECKPOINT = 64 * 1024 * 1024
"""Bytes after which an upload is written down: what a killed replica loses of it at most."""

_PUBLISHING = timedelta(minutes=15)
"""Time for a replica to publish an upload whose last byte has come; after that it has died, and another one may."""

_MOST_PIECES = 50_000


class UnknownUploadError(LookupError):
    """There is no such upload, or it is over."""


class Uploads:
    """Resumable uploads of a catalogue's files."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._storage = catalogue.storage

    def create(self, length: int, metadata: dict[str, str]) -> tuple[str, Upload]:
        """Begin an upload of `length` bytes: its identifier and itself.

        Raises:
            RefusedError: what the metadata say cannot be (400, 412), or it is too large (413) or finds no room (507).
        """
        upload = Upload(length=length, metadata=metadata, begun=now(), expires=now() + KEPT)
        name, _ = _name(upload), _sha256(upload)
        lifetime.read(metadata, now())
        _condition(upload).check_change(self._catalogue.find(name))
        self._catalogue.limits.check(length)
        identifier = uuid.uuid4().hex
        version = self._storage.write(UPLOADS, identifier, upload.to_record(), None)
        if length == 0:
            upload = self._publish(identifier, upload, version, hashlib.sha256().hexdigest())
        return identifier, upload

    def look_up(self, identifier: str) -> Upload:
        """The upload; one whose replica died while it published is published first.

        Raises:
            UnknownUploadError: there is none.
            RefusedError: 423, it is being published.
        """
        return self._settled(identifier)[0]

    def append(self, identifier: str, offset: int, content: Iterator[Data], checksum: str | None) -> Upload:
        """Add bytes at the offset; with the last one the file is published.

        What comes before a connection breaks is kept, unless a checksum says what all of it should be.

        Raises:
            UnknownUploadError: there is none.
            RefusedError: the offset is another one (409), the checksum does not agree (460), or publishing is refused.
        """
        upload, version = self._settled(identifier)
        if upload.offset != offset:
            raise RefusedError(409, f"the upload goes on at {upload.offset}, not at {offset}")
        expected = digests.checksum(checksum) if checksum is not None else None
        content = iter(content)
        whole = ConcurrentHash() if offset == 0 else None
        while upload.offset < upload.length:
            begun = upload.offset
            pieces, cut = self._receive(content, upload, expected, whole)
            came = sum(piece.size for piece in pieces)
            upload = replace(upload, offset=begun + came, pieces=(*upload.pieces, *pieces), expires=now() + KEPT)
            if came:
                version = self._write(identifier, upload, version, pieces)
            if upload.offset == upload.length:
                # Whoever has written this down is the only one to publish, however many have sent the last bytes.
                digest = whole.hexdigest() if whole else self._digest(upload)
                upload = self._publish(identifier, upload, version, digest)
            elif cut:
                raise cut
            elif came < _CHECKPOINT or expected:
                break
        return upload

    def remove(self, identifier: str) -> None:
        """Give the upload up; what has come is forgotten. Errors as for `look_up`."""
        upload, version = self._look_up(identifier)
        try:
            self._storage.remove(UPLOADS, identifier, version)
        except ConflictError:
            raise _busy() from None
        self._storage.discard(upload.pieces)

    def _receive(
        self,
        content: Iterator[Data],
        upload: Upload,
        expected: tuple[str, bytes] | None,
        whole: ConcurrentHash | None,
    ) -> tuple[list[Piece], CutShortError | None]:
        """Some more pieces, and why there are no more of them if the connection broke."""
        check = ConcurrentHash(expected[0]) if expected else None
        size, cut = 0, None
        with self._storage.receive() as incoming:
            try:
                for data in content:
                    size += len(data)
                    if upload.offset + size > upload.length:
                        raise RefusedError(413, f"the upload has {upload.length} bytes: more came")
                    for digest in (check, whole):
                        if digest:
                            digest.update(data)
                    incoming.write(data)
                    if size >= _CHECKPOINT and not check:
                        break
            except CutShortError as error:
                if check:
                    raise
                cut = error
            if expected and check and check.digest() != expected[1]:
                raise RefusedError(460, "the content does not have the checksum that was sent with it: send it again")
            if len(upload.pieces) > _MOST_PIECES:
                raise RefusedError(413, "the upload came in too many parts: send larger ones")
            return incoming.keep(), cut

    def _publish(self, identifier: str, upload: Upload, version: str, sha256: str) -> Upload:
        try:
            try:
                digests.check(_sha256(upload), sha256)
            except RefusedError:
                self._storage.discard(upload.pieces)
                raise
            # As it was asked for: an upload may end later than its file was to expire.
            terms = lifetime.read(upload.metadata, upload.begun)
            file = stored_file(_name(upload), upload.pieces, upload.length, sha256, terms)
            self._catalogue.publish(file, _condition(upload))
        except RefusedError:
            self._storage.remove(UPLOADS, identifier, version)
            raise
        except StorageUnavailableError:
            with suppress(StorageUnavailableError, RefusedError):
                # Whoever asks next may try again.
                self._write(identifier, replace(upload, expires=now() + KEPT - _PUBLISHING), version)
            raise
        self._catalogue.limits.took(file.size)
        published = replace(upload, pieces=(), published=True, sha256=sha256)
        self._write(identifier, published, version)
        return published

    def _digest(self, upload: Upload) -> str:
        """The SHA-256 of what is stored: no digest can be handed from one replica to another half-way."""
        digest = hashlib.sha256()
        with closing(self._storage.open(upload.pieces, 0, upload.length)) as content:
            for data in in_parts(content):
                digest.update(data)
        return digest.hexdigest()

    def _write(self, identifier: str, upload: Upload, version: str, added: Sequence[Piece] = ()) -> str:
        try:
            return self._storage.write(UPLOADS, identifier, upload.to_record(), version)
        except ConflictError:
            self._storage.discard(added)
            raise _busy() from None

    def _settled(self, identifier: str) -> tuple[Upload, str]:
        """The upload that nobody is publishing, and its version: of one that is published here, of no use any more."""
        upload, version = self._look_up(identifier)
        if upload.offset == upload.length and not upload.published:
            if now() < upload.expires - KEPT + _PUBLISHING:
                raise RefusedError(423, "the upload is being published: ask again in a moment")
            version = self._write(identifier, replace(upload, expires=now() + KEPT), version)
            upload = self._publish(identifier, upload, version, self._digest(upload))
        return upload, version

    def _look_up(self, identifier: str) -> tuple[Upload, str]:
        try:
            record = self._storage.read(UPLOADS, identifier)
        except UnknownRecordError:
            raise UnknownUploadError(identifier) from None
        upload = Upload.from_record(record.content)
        if upload.is_over(now()):
            raise UnknownUploadError(identifier)
        return upload, record.version


def _name(upload: Upload) -> str:
    return names.checked(upload.metadata.get("filename") or upload.metadata.get("name"))


def _sha256(upload: Upload) -> str | None:
    text = upload.metadata.get("sha256")
    return digests.from_hex(text) if text else None


def _condition(upload: Upload) -> conditions.Conditions:
    return conditions.read({name: upload.metadata.get(name.lower()) for name in ("If-Match", "If-None-Match")})


def _busy() -> RefusedError:
    return RefusedError(409, "somebody else goes on with this upload: ask where it is")
