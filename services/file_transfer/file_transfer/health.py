"""Whether this process can read and write its index and its store, asked about once a second in the background.

A probe of the replica reads what was found last. It costs no request to the index or the store, and waits for neither.
"""

import threading
import time
from collections.abc import Callable, Mapping

from prometheus_client import Gauge

from file_transfer import metrics
from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.index.database import Database

_EVERY_SECONDS = 1.0
_BELIEVED_SECONDS = 10.0
_TOLERATED_SECONDS = 3.0
"""How long a check may fail before it counts. A busy disk or a restart is no reason to refuse transfers."""


class Check:
    """One check, repeated in a thread of its own, so that one that hangs does not delay the others."""

    def __init__(self, check: Callable[[], None], gauge: Gauge) -> None:
        self._check = check
        self._gauge = gauge
        self._failure = "it has not been checked yet"
        self._failing_since = float("-inf")
        self._checked = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Check once, then begin to repeat it in the background."""
        self.look()
        self._thread.start()

    def failure(self) -> str:
        """Return why the check has failed for some seconds; empty if it has not."""
        now = time.monotonic()
        silent = now - self._checked
        if self._failure and now - self._failing_since > _TOLERATED_SECONDS:
            return self._failure
        return f"no answer for {silent:.0f} s" if silent > _BELIEVED_SECONDS else ""

    def look(self) -> None:
        """Check now."""
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever failed is the reason
            if not self._failure:
                self._failing_since = time.monotonic()
            self._failure = str(error) or type(error).__name__
        else:
            self._failure = ""
        self._gauge.set(not self._failure)
        self._checked = time.monotonic()

    def _run(self) -> None:
        while True:
            time.sleep(_EVERY_SECONDS)
            self.look()


class Health:
    """The checks of one process: reading and writing, of the index and of the store."""

    def __init__(self, database: Database, store: ChunkStore) -> None:
        self._reading: Mapping[str, Check] = {
            "the index": Check(database.check, metrics.INDEX_READABLE),
            "the store": Check(store.check, metrics.STORE_READABLE),
        }
        self._writing: Mapping[str, Check] = {
            "the index": Check(database.check_writable, metrics.INDEX_WRITABLE),
            "the store": Check(store.check_writable, metrics.STORE_WRITABLE),
        }

    def start(self) -> None:
        """Begin to check."""
        for check in (*self._reading.values(), *self._writing.values()):
            check.start()

    def check_readable(self) -> None:
        """Check that files can be downloaded.

        Raises:
            StorageUnavailableError: they cannot; with the reason.
        """
        _raise_first(self._reading)

    def check_writable(self) -> None:
        """Check that files can be uploaded.

        Raises:
            StorageUnavailableError: they cannot; with the reason.
        """
        _raise_first(self._writing)


def _raise_first(checks: Mapping[str, Check]) -> None:
    for name, check in checks.items():
        if failure := check.failure():
            raise StorageUnavailableError(f"{name}: {failure}")
