"""The bytes that one request appends to a resumable upload."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from file_transfer.chunks import Chunk, ChunkStore, Data
from file_transfer.clock import now
from file_transfer.errors import ChecksumError, CutShortError, TooLargeError
from file_transfer.hashing import ConcurrentHash
from file_transfer.reservation import Reservation
from file_transfer.resumable_sha256 import ResumableSha256
from file_transfer.upload import Upload

KEPT = timedelta(days=1)
"""How long an upload is kept without receiving more bytes."""

CHECKPOINT = 64 * 1024 * 1024
"""Bytes after which the progress of an upload is recorded. A killed replica loses at most this much."""


@dataclass(frozen=True, kw_only=True)
class Appended:
    """What was received: the upload as it will be, its new chunks, and the error if the connection broke after them."""

    upload: Upload
    chunks: list[Chunk]
    cut_short: CutShortError | None


def receive(
    store: ChunkStore,
    upload: Upload,
    content: Iterator[Data],
    expected: tuple[str, bytes] | None,
    reservation: Reservation,
) -> Appended:
    """Store bytes of the content up to a checkpoint, or all of them if there is an `expected` checksum.

    Raises:
        TooLargeError: there are more bytes than the upload lacks.
        ChecksumError: the checksum does not match.
        CutShortError: the connection broke before the checksum could be compared.
    """
    whole = ResumableSha256(upload.hash_state)
    hashes = [ConcurrentHash(whole)]
    if expected:
        hashes.append(ConcurrentHash(hashlib.new(expected[0])))
    size, cut_short = 0, None
    with store.receive(reservation.next_key) as incoming:
        try:
            for data in content:
                size += len(data)
                if upload.offset + size > upload.length:
                    raise TooLargeError(f"received more than the {upload.length} bytes of the upload")
                for running in hashes:
                    running.update(data)
                incoming.write(data)
                reservation.renew()
                if size >= CHECKPOINT and not expected:
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
    return Appended(upload=appended, chunks=chunks, cut_short=cut_short)
