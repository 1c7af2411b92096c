"""Resumable uploads. Their progress is in the index, so that any replica can resume them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID, uuid4

from sqlalchemy import Connection

from file_transfer import conditions, digests, upload_content
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import Chunk, Data, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.errors import ConflictError, CutShortError, SmallPartsError
from file_transfer.index import contents
from file_transfer.index import uploads as table
from file_transfer.index.database import write_repeatedly
from file_transfer.limits import NOBODY, Owner
from file_transfer.reservation import Reservation
from file_transfer.upload import Upload
from file_transfer.upload_record import record

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_SMALL_BYTES = 2**20
_MAX_SMALL = 10_000
"""How many chunks an upload can have before a request must bring `_SMALL_BYTES`. Each makes the index larger, and every
download slower. A connection that keeps breaking makes some hundreds."""


class UnknownUploadError(LookupError):
    """There is no such upload."""

    def __init__(self) -> None:
        super().__init__("no such upload: it has been published or cancelled, or has expired")


class Uploads:
    """The resumable uploads of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._database = catalogue.database

    def create(self, length: int, metadata: dict[str, str], owner: Owner = NOBODY) -> Upload:
        """Create an upload of `length` bytes, and reserve room for them. They count for the owner.

        Raises:
            NameRefusedError: the metadata has no valid name.
            InvalidRequestError: the metadata is invalid otherwise.
            PreconditionError: the condition in the metadata does not hold.
            TooLargeError: the file is too large.
            NoRoomError: the store leaves no space for it.
            QuotaError: a quota does not allow it.
            StorageUnavailableError: it could not be stored at the moment.
        """
        limits = self._catalogue.limits
        upload = Upload(id=uuid4(), length=length, metadata=metadata, expires=now() + upload_content.KEPT)
        name, _, _ = upload.file_name(), upload.declared_sha256(), upload.lifetime(now())
        limits.check_size(length)
        limits.check_free(self._catalogue.store, length)
        condition = upload.condition()
        self._catalogue.check_writable()  # if there is no primary, what the index says may be old
        if condition != conditions.NONE:
            condition.check_change(self._catalogue.find(name))
        self._database.write(lambda connection: table.create(connection, upload, limits.quota, owner))
        return upload if length else self._record(upload, upload, [], [])

    def find(self, identifier: str) -> Upload:
        """Return the upload. Before a client is told that it is published, it has to be `confirmed`.

        Raises:
            UnknownUploadError: there is no such upload.
        """
        if not _IDENTIFIER.fullmatch(identifier):
            raise UnknownUploadError
        upload = self._database.read(lambda connection: table.find(connection, UUID(hex=identifier), now()))
        if upload is None:
            raise UnknownUploadError
        return upload

    def confirmed(self, upload: Upload) -> Upload:
        """Return the upload. If it is published, it is on both hosts: to tell the client so is an acknowledgement.

        Raises:
            UnknownUploadError: it has expired meanwhile.
        """
        if not upload.sha256:
            return upload

        def renew(connection: Connection) -> Upload | None:
            found = table.find(connection, upload.id, now(), lock=True)
            table.renew(connection, upload.id, now() + upload_content.KEPT)
            return found

        confirmed = write_repeatedly(self._database, renew)
        if confirmed is None:
            raise UnknownUploadError
        return confirmed

    def append(
        self, upload: Upload, offset: int, content: Iterator[Data], checksum: str | None, size: int | None = None
    ) -> Upload:
        """Append bytes at the offset, `size` of them if that is known. The last byte publishes the file.

        If the connection breaks, the bytes received so far are kept, unless the request has a checksum.

        Raises:
            UnknownUploadError: the upload has expired meanwhile.
            ConflictError: the offset is wrong, or another request is changing the upload.
            InvalidRequestError: the checksum is malformed.
            ChecksumError: the checksum does not match.
            CutShortError: the connection broke.
            TooLargeError: there are more bytes than the upload lacks.
            SmallPartsError: the requests are too many and too small.
            RefusedError: publishing is refused.
        """
        upload = self.confirmed(upload)
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
            if upload.offset - before < upload_content.CHECKPOINT or expected:
                break
        return upload

    def remove(self, upload: Upload) -> None:
        """Cancel the upload.

        Raises:
            UnknownUploadError: it has been removed or has expired meanwhile.
        """
        if not self._database.write(lambda connection: table.remove(connection, upload.id, now())):
            raise UnknownUploadError

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

        `left` is the number of bytes that the request still has, and `begun` the offset at which it began.
        """
        store = self._catalogue.store
        reservation = Reservation(self._database, store, self._catalogue.limits, upload.id, left)
        try:
            received = upload_content.receive(store, upload, content, expected, reservation)
            appended = received.upload
            if appended.offset == upload.offset:
                self._discard(reservation)
                return upload, received.cut_short
            if appended.offset - begun < _SMALL_BYTES and appended.offset < appended.length:
                self._check_chunks(upload)
            return self._record(upload, appended, received.chunks, reservation.chosen), received.cut_short
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

    def _record(self, before: Upload, appended: Upload, chunks: list[Chunk], reserved: list[str]) -> Upload:
        grace = self._catalogue.store.reader_grace
        return record(self._database, before, appended, chunks, reserved=reserved, reader_grace=grace)

    def _discard(self, reservation: Reservation) -> None:
        """Make garbage of keys that no longer can be used. If that fails, they are swept with the upload."""
        with suppress(StorageUnavailableError):
            self._database.write(
                lambda connection: contents.discard_keys(connection, reservation.chosen, now() + contents.LEASE)
            )
