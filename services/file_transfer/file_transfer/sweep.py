"""Taking away what is over: files, unfinished uploads, and pieces that killed processes left."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

from file_transfer.storage import (
    FILES,
    UPLOADS,
    ConflictError,
    Piece,
    Record,
    Storage,
    StorageUnavailableError,
    UnknownRecordError,
)
from file_transfer.stored_file import StoredFile, now
from file_transfer.upload import Upload

_LEFTOVER_AGE = timedelta(days=2)
"""Pieces that no record names are given up after it: no single request may take longer."""

_EVERY_SECONDS = 300


def sweep(storage: Storage) -> int:
    """Sweep once; returns how many files, uploads and pieces went."""
    # The pieces first: what is published after that is not among them.
    lost = {stored.piece.key: stored.piece for stored in storage.pieces() if now() - stored.modified > _LEFTOVER_AGE}
    swept = 0
    kinds: tuple[tuple[str, Callable[[bytes], StoredFile | Upload]], ...] = (
        (FILES, StoredFile.from_record),
        (UPLOADS, Upload.from_record),
    )
    for kind, parse in kinds:
        for name, record in _records(storage, kind):
            found = parse(record.content)
            if found.is_over(now()):
                swept += _remove(storage, kind, name, record, found.pieces)
            for piece in found.pieces:
                lost.pop(piece.key, None)
    storage.discard(list(lost.values()))
    storage.tidy()
    return swept + len(lost)


def start(storage: Storage, is_mine: Callable[[], bool]) -> threading.Thread:
    """Sweep every few minutes while the process lives, if `is_mine` says that no other one here does."""

    def run() -> None:
        while not wait.wait(_EVERY_SECONDS):
            try:
                if is_mine():
                    sweep(storage)
            except (OSError, StorageUnavailableError) as error:
                logging.getLogger("gunicorn.error").warning("sweeping failed, to be tried again: %s", error)

    wait = threading.Event()
    thread = threading.Thread(target=run, name="sweep", daemon=True)
    thread.start()
    return thread


def _records(storage: Storage, kind: str) -> Iterator[tuple[str, Record]]:
    for name in storage.names(kind):
        try:
            yield name, storage.read(kind, name)
        except UnknownRecordError:
            continue  # gone since the listing


def _remove(storage: Storage, kind: str, name: str, record: Record, pieces: tuple[Piece, ...]) -> int:
    try:
        storage.remove(kind, name, record.version)
    except ConflictError:
        return 0  # somebody has just stored it anew
    storage.discard(pieces)
    return 1
