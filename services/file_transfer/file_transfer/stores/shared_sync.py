"""A wait for the disk that several threads share."""

import threading
from collections.abc import Callable
from concurrent.futures import Future


class SharedSync:
    """Runs `sync` for all threads that ask while an earlier run is under way, once for all of them.

    Its errors reach each of these threads, since the kernel reports a failed write only once.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._next: Future[None] | None = None

    def __call__(self) -> None:
        """Return when a run that began after this call has ended."""
        with self._lock:
            leads = self._next is None
            mine = self._next = self._next or Future()
        if leads:
            with self._running:
                with self._lock:
                    self._next = None  # whoever asks from now on may have written too late for this run
                self._run(mine)
        mine.result()

    def _run(self, done: Future[None]) -> None:
        try:
            self._sync()
        except BaseException as error:  # noqa: BLE001 - each waiting thread raises it
            done.set_exception(error)
        else:
            done.set_result(None)
