"""The sweep, which removes what has expired, and deletes the chunks that nobody can reach any more."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from file_transfer import metrics
from file_transfer.catalogue import Catalogue
from file_transfer.clock import now
from file_transfer.index import garbage, usage
from file_transfer.index.database import Database

_EVERY_SECONDS = 10


def sweep(catalogue: Catalogue) -> int:
    """Sweep until nothing is due, and return how many chunks were deleted.

    Any number of processes may sweep at the same time; each gets other garbage.

    Raises:
        StorageUnavailableError: the index or the store is not available. What was not deleted stays garbage.
    """
    database, grace = catalogue.database, catalogue.store.reader_grace
    while database.write(lambda connection: garbage.collect(connection, now(), grace)):
        pass
    deleted = 0
    while True:
        ids, keys = database.write(lambda connection: garbage.claim(connection, now()))
        if not ids:
            return deleted
        catalogue.store.delete(keys)
        deleted += len(keys)
        while keys := _forget(database, ids, keys):
            catalogue.store.delete(keys)
            deleted += len(keys)


def _forget(database: Database, ids: Sequence[UUID], keys: Sequence[str]) -> list[str]:
    return database.write(lambda connection: garbage.forget(connection, ids, keys, now()))


class Sweeper:
    """Sweeps every few seconds in a thread of its own, and publishes the usage as metrics.

    Only one process of each replica is elected to do it. The usage of the tokens with these names is published too.
    """

    def __init__(self, catalogue: Catalogue, is_elected: Callable[[], bool], tokens: Sequence[str] = ()) -> None:
        self._catalogue = catalogue
        self._tokens = tokens
        self._is_elected = is_elected
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(_EVERY_SECONDS)
            try:
                if self._is_elected():
                    self._measure()
                    metrics.SWEPT.inc(sweep(self._catalogue))
            except Exception as error:  # noqa: BLE001 - whatever failed, the next sweep may succeed
                metrics.SWEEP_FAILURES.inc()
                logging.getLogger("gunicorn.error").warning("the sweep failed and will be repeated: %s", error)

    def _measure(self) -> None:
        stored_bytes, stored_files = self._catalogue.database.read(usage.total)
        metrics.STORED_BYTES.set(stored_bytes)
        metrics.STORED_FILES.set(stored_files)
        of_tokens = self._catalogue.database.read(usage.of_tokens) if self._tokens else {}
        for token in self._tokens:
            metrics.TOKEN_STORED_BYTES.labels(token).set(of_tokens.get(token, 0))
        metrics.GARBAGE.set(self._catalogue.database.read(garbage.count))
