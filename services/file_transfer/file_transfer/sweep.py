"""The sweep, which removes expired files and uploads, and chunks that killed processes have left behind."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

from file_transfer.storage import (
    FILES,
    UPLOADS,
    Chunk,
    ConflictError,
    Record,
    Storage,
    StorageUnavailableError,
    UnknownRecordError,
)
from file_transfer.stored_file import StoredFile, now
from file_transfer.upload import Upload

_LEFTOVER_AGE = timedelta(days=2)
"""The age at which a chunk that no record names is deleted. No single request may take longer than this."""

_EVERY_SECONDS = 300


def sweep(storage: Storage) -> int:
    """Sweep once, and return how many files, uploads and chunks were removed."""
    # The chunks are listed before the records, so that a file published in between keeps its chunks.
    leftover = {
        stored.chunk.key: stored.chunk for stored in storage.chunks() if now() - stored.modified > _LEFTOVER_AGE
    }
    swept = 0
    kinds: tuple[tuple[str, Callable[[bytes], StoredFile | Upload]], ...] = (
        (FILES, StoredFile.from_record),
        (UPLOADS, Upload.from_record),
    )
    for kind, parse in kinds:
        for name, record in _records(storage, kind):
            found = parse(record.content)
            if found.is_expired(now()):
                swept += _remove(storage, kind, name, record, found.chunks)
            for chunk in found.chunks:
                leftover.pop(chunk.key, None)
    storage.discard(list(leftover.values()))
    storage.tidy()
    return swept + len(leftover)


def start(storage: Storage, is_elected: Callable[[], bool]) -> threading.Thread:
    """Start a thread that sweeps every few minutes, as long as this process is the elected one of the replica."""

    def run() -> None:
        while not wait.wait(_EVERY_SECONDS):
            try:
                if is_elected():
                    sweep(storage)
            except (OSError, StorageUnavailableError) as error:
                logging.getLogger("gunicorn.error").warning("the sweep failed and will be repeated: %s", error)

    wait = threading.Event()
    thread = threading.Thread(target=run, name="sweep", daemon=True)
    thread.start()
    return thread


def _records(storage: Storage, kind: str) -> Iterator[tuple[str, Record]]:
    for name in storage.names(kind):
        try:
            yield name, storage.read(kind, name)
        except UnknownRecordError:
            continue  # removed since the listing


def _remove(storage: Storage, kind: str, name: str, record: Record, chunks: tuple[Chunk, ...]) -> int:
    try:
        storage.remove(kind, name, record.version)
    except ConflictError:
        return 0  # another process has just replaced it
    storage.discard(chunks)
    return 1
