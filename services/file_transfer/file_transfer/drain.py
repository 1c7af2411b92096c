"""Going away politely: readiness fails first, so that the edge sends no more, and only then the doors close."""

import mmap
import signal
import time
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter


class Drain:
    """Whether this replica is about to end: set in the master process, seen by all workers forked from it."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """Say that no more requests should come."""
        self._shared[0] = 1

    def has_begun(self) -> bool:
        """Whether it has been said."""
        return self._shared[0] == 1


def hear(_: object = None) -> None:
    """Let SIGTERM through again: what has come meanwhile comes now. Called in each worker when it is set up."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


class DrainingArbiter(Arbiter):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's master, which serves on for `seconds` after the first SIGTERM; a second one does not wait.

    Without that the workers stop accepting at once while their sockets still listen: whoever connects meanwhile is
    neither served nor refused until the last running transfer has ended.
    """

    def __init__(self, app: BaseApplication, drain: Drain, seconds: int) -> None:
        super().__init__(app)
        self._drain = drain
        self._seconds = seconds
        self._end: float | None = None

    def spawn_worker(self) -> Any:  # noqa: ANN401 - gunicorn's
        """Called by gunicorn: fork a worker, which hears SIGTERM once it can (`hear`), and not before.

        Between the fork and its own handlers a worker has the master's: a signal would be taken, and do nothing.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().spawn_worker()
        finally:
            hear()

    def handle_term(self) -> None:
        """Called by gunicorn for SIGTERM."""
        if self._end is not None:
            super().handle_term()
        self._drain.begin()
        self._end = time.monotonic() + self._seconds

    def wait_for_signals(self, timeout: float = 1.0) -> Any:  # noqa: ANN401 - gunicorn's
        """Called by gunicorn's main loop, which ends on StopIteration."""
        if self._end is None:
            return super().wait_for_signals(timeout)
        left = self._end - time.monotonic()
        if left <= 0:
            super().handle_term()
        return super().wait_for_signals(min(timeout, left))
