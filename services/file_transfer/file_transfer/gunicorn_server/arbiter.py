"""gunicorn's master process, which drains before it stops."""

import signal
import time
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from file_transfer.drain import Drain


def unblock_sigterm(_: object = None) -> None:
    """Deliver SIGTERM again, including one that arrived while it was blocked. Each worker calls this once set up."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


class DrainingArbiter(Arbiter):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's master process, which keeps serving for `seconds` after the first SIGTERM. A second one ends it.

    Without this delay the workers stop accepting at once while their sockets still listen: new connections are
    neither served nor refused until the last running transfer has ended.
    """

    def __init__(self, app: BaseApplication, drain: Drain, seconds: int) -> None:
        super().__init__(app)
        self._drain = drain
        self._seconds = seconds
        self._end: float | None = None

    def spawn_worker(self) -> Any:  # noqa: ANN401 - gunicorn's
        """Fork a worker with SIGTERM blocked, until it calls `unblock_sigterm`. Called by gunicorn.

        Between the fork and the setup of its own handlers a worker has the master's, which would swallow the signal.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            return super().spawn_worker()
        finally:
            unblock_sigterm()

    def handle_term(self) -> None:
        """Begin to drain, or stop at once if draining has begun. Called by gunicorn on SIGTERM."""
        if self._end is not None:
            super().handle_term()
        self._drain.begin()
        self._end = time.monotonic() + self._seconds

    def wait_for_signals(self, timeout: float = 1.0) -> Any:  # noqa: ANN401 - gunicorn's
        """Wait for a signal or the end of draining. Called by gunicorn's main loop, which ends on StopIteration."""
        if self._end is None:
            return super().wait_for_signals(timeout)
        left = self._end - time.monotonic()
        if left <= 0:
            super().handle_term()
        return super().wait_for_signals(min(timeout, left))
