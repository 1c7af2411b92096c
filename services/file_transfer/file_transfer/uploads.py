"""Resumable uploads. Their progress is in the index, so that any replica can resume them."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from file_transfer import conditions, digests, lifetime, names
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import Chunk, Data, StorageUnavailableError
from file_transfer.errors import (
    ChecksumError,
    ConflictError,
    CutShortError,
    RefusedError,
    SmallPartsError,
    TooLargeError,
)
from file_transfer.hashing import ConcurrentHash
from file_transfer.index import contents, files
from file_transfer.index import uploads as table
from file_transfer.index.database import write_repeatedly
from file_transfer.reservation import Reservation
from file_transfer.resumable_sha256 import ResumableSha256
from file_transfer.stored_file import StoredFile, now
from file_transfer.upload import Upload

KEPT = timedelta(days=1)
"""How long an upload is kept without receiving more bytes."""

_CHECKPOINT = 64 * 1024 * 1024
"""Bytes after which the progress of an upload is recorded. A killed replica loses at most this much."""

_SMALL_BYTES = 2**20
_MAX_SMALL = 10_000
"""How many chunks an upload can have before a request must bring `_SMALL_BYTES`. Each makes the index larger, and every
download slower. A connection that keeps breaking makes some hundreds."""


class UnknownUploadError(LookupError):
    """There is no such upload, or it has expired."""


class Uploads:
    """The resumable uploads of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._database = catalogue.database

    def create(self, length: int, metadata: dict[str, str]) -> Upload:
        """Create an upload of `length` bytes, and reserve room for them.

        Raises:
            RefusedError: the metadata is invalid (400) or its condition does not hold (412), or the file is too
                large (413) or there is no space for it (507).
        """
        limits = self._catalogue.limits
        upload = Upload(id=uuid4(), length=length, metadata=metadata, expires=now() + KEPT)
        name, _ = name_of(upload), _sha256(upload)
        lifetime.parse(metadata, now())
        limits.check_size(length)
        limits.check_free(self._catalogue.store, length)
        condition = _condition(upload)
        self._catalogue.check_writable()  # if there is no primary, what the index says may be old
        if condition != conditions.NONE:
            condition.check_change(self._catalogue.find(name))
        self._database.write(lambda connection: table.create(connection, upload, limits.quota))
        return upload if length else self._record(upload, upload, [], [])

    def look_up(self, identifier: str) -> Upload:
        """Return the upload.

        Raises:
            UnknownUploadError: there is no such upload.
        """
        upload = self._find(identifier)
        return self._confirmed(upload) if upload.sha256 else upload

    def append(
        self, identifier: str, offset: int, content: Iterator[Data], checksum: str | None, size: int | None = None
    ) -> Upload:
        """Append bytes at the offset, `size` of them if that is known. The last byte publishes the file.

        If the connection breaks, the bytes received so far are kept, unless the request has a checksum.

        Raises:
            UnknownUploadError: there is no such upload.
            ConflictError: the offset is wrong.
            ChecksumError: the checksum does not match.
            SmallPartsError: the requests are too many and too small.
            RefusedError: publishing is refused.
        """
        upload = self.look_up(identifier)
        if upload.offset != offset:
            raise ConflictError(f"the upload continues at {upload.offset}, not at {offset}")
        expected = digests.parse_checksum(checksum) if checksum is not None else None
        self._catalogue.check_writable()
        content = iter(content)
        while upload.offset < upload.length:
            before = upload.offset
            left = None if size is None else min(size - (before - offset), upload.length - before)
            upload, cut_short = self._append_once(upload, content, expected, left, begun=offset)
            if cut_short and upload.offset < upload.length:
                raise cut_short
            if upload.offset - before < _CHECKPOINT or expected:
                break
        return upload

    def remove(self, identifier: str) -> None:
        """Cancel the upload.

        Raises:
            UnknownUploadError: there is no such upload.
        """
        upload = self._find(identifier)
        if not self._database.write(lambda connection: table.remove(connection, upload.id, now())):
            raise UnknownUploadError(identifier)

    def _append_once(
        self,
        upload: Upload,
        content: Iterator[Data],
        expected: tuple[str, bytes] | None,
        left: int | None,
        *,
        begun: int,
    ) -> tuple[Upload, CutShortError | None]:
        """Append up to a checkpoint. Return the upload after it, and the error if the connection broke.

        `begun` is the offset at which the request began.
        """
        limits = self._catalogue.limits
        reservation = Reservation(self._database, self._catalogue.store, limits, upload.id, left)
        try:
            appended, chunks, cut_short = self._receive(upload, content, expected, reservation)
            if appended.offset == upload.offset:
                self._discard(reservation)
                return upload, cut_short
            if appended.offset - begun < _SMALL_BYTES and appended.offset < appended.length:
                self._check_chunks(upload)
            return self._record(upload, appended, chunks, reservation.chosen), cut_short
        except (table.UploadChangedError, contents.LeaseLostError):
            self._discard(reservation)
            raise ConflictError("another request is changing this upload: ask for its offset with HEAD") from None
        except BaseException:
            self._discard(reservation)
            raise

    def _check_chunks(self, upload: Upload) -> None:
        """Check that the upload may have one more small chunk.

        Raises:
            SmallPartsError: it may not.
        """
        if self._database.read(lambda connection: contents.has_chunks(connection, upload.id, _MAX_SMALL)):
            raise SmallPartsError(
                f"the upload is in more than {_MAX_SMALL} parts: send at least {_SMALL_BYTES} bytes with each request"
            )

    def _receive(
        self,
        upload: Upload,
        content: Iterator[Data],
        expected: tuple[str, bytes] | None,
        reservation: Reservation,
    ) -> tuple[Upload, list[Chunk], CutShortError | None]:
        """Receive up to a checkpoint. Return the upload as it will be, its new chunks, and the error if one came."""
        whole = ResumableSha256(upload.hash_state)
        hashes = [ConcurrentHash(whole)]
        if expected:
            hashes.append(ConcurrentHash(hashlib.new(expected[0])))
        size, cut_short = 0, None
        with self._catalogue.store.receive(reservation.next_key) as incoming:
            try:
                for data in content:
                    size += len(data)
                    if upload.offset + size > upload.length:
                        raise TooLargeError(f"received more than the {upload.length} bytes of the upload")
                    for running in hashes:
                        running.update(data)
                    incoming.write(data)
                    reservation.renew()
                    if size >= _CHECKPOINT and not expected:
                        break
            except CutShortError as error:
                if expected:
                    raise
                cut_short = error
            finally:
                for running in hashes:
                    running.wait()
            if expected and hashes[1].digest() != expected[1]:
                raise ChecksumError("the content does not match its Upload-Checksum: send it again")
            chunks = incoming.keep() if size else []
        appended = replace(upload, offset=upload.offset + size, hash_state=whole.state, expires=now() + KEPT)
        return appended, chunks, cut_short

    def _record(self, before: Upload, appended: Upload, chunks: list[Chunk], reserved: list[str]) -> Upload:
        """Record the appended chunks, and publish the file if they are the last ones, in one transaction.

        Keys that were reserved for them and not used become garbage.
        """
        complete = appended.offset == appended.length
        sha256 = ResumableSha256(appended.hash_state).hexdigest() if complete else None
        file = self._file(appended, sha256) if sha256 else None
        recorded = (appended.offset, *((None, sha256) if complete else (appended.hash_state, None)))

        def change(connection: Connection) -> None:
            found = table.find(connection, before.id, now(), lock=True)
            if found and (found.offset, found.hash_state, found.sha256) == recorded:
                # An earlier attempt succeeded, but perhaps on one host only. This makes the commit wait.
                table.renew(connection, before.id, appended.expires)
                return
            table.advance(connection, appended, before.offset)
            contents.place(connection, appended.id, chunks, before.offset)
            if len(reserved) > len(chunks):
                contents.discard_keys(connection, reserved, now() + contents.LEASE)
            if file:
                files.publish(
                    connection,
                    file,
                    now=now(),
                    reader_grace=self._catalogue.store.reader_grace,
                    condition=_condition(appended),
                )
                table.finish(connection, file.version, file.sha256)

        try:
            if file:
                digests.check(_sha256(appended), file.sha256)
            write_repeatedly(self._database, change)
        except RefusedError:  # the file cannot be published, however often it is sent
            self._database.write(lambda connection: table.remove(connection, before.id, now()))
            raise
        return replace(appended, sha256=sha256)

    def _file(self, upload: Upload, sha256: str) -> StoredFile:
        published = now()
        requested = lifetime.parse(upload.metadata, published)
        return StoredFile(
            name=name_of(upload),
            version=upload.id,
            size=upload.length,
            sha256=sha256,
            modified=published,
            expires=requested.end(published),
            downloads_left=requested.downloads,
        )

    def _discard(self, reservation: Reservation) -> None:
        """Make garbage of keys that no longer can be used. If that fails, they are swept with the upload."""
        with suppress(StorageUnavailableError):
            self._database.write(
                lambda connection: contents.discard_keys(connection, reservation.chosen, now() + contents.LEASE)
            )

    def _confirmed(self, upload: Upload) -> Upload:
        """Return a published upload as both hosts have it: to be told that it is complete is an acknowledgement."""

        def renew(connection: Connection) -> Upload | None:
            found = table.find(connection, upload.id, now(), lock=True)
            table.renew(connection, upload.id, now() + KEPT)
            return found

        confirmed = write_repeatedly(self._database, renew)
        if confirmed is None:
            raise UnknownUploadError(upload.id.hex)
        return confirmed

    def _find(self, identifier: str) -> Upload:
        try:
            wanted = UUID(hex=identifier)
        except ValueError:
            raise UnknownUploadError(identifier) from None
        upload = self._database.read(lambda connection: table.find(connection, wanted, now()))
        if upload is None:
            raise UnknownUploadError(identifier)
        return upload


def name_of(upload: Upload) -> str:
    """Return the checked name of the upload's file.

    Raises:
        NameRefusedError: it has none.
    """
    return names.checked(upload.metadata.get("filename") or upload.metadata.get("name"))


def _sha256(upload: Upload) -> str | None:
    text = upload.metadata.get("sha256")
    return digests.from_hex(text) if text else None


def _condition(upload: Upload) -> conditions.Conditions:
    return conditions.parse({name: upload.metadata.get(name.lower()) for name in ("If-Match", "If-None-Match")})
