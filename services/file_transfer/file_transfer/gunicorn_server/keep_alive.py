"""Connections on which one request follows the other at once."""

import select
import time
from collections import deque
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

_NEXT_MILLISECONDS = 5
"""How long a thread waits for a connection's next request."""

_LONGEST_SECONDS = 0.1
"""After this time a thread serves other connections too."""


class KeepAliveWorker(ThreadWorker):  # type: ignore[misc] # gunicorn ships no types
    """A worker whose threads serve a connection's next request themselves, if it comes at once and nobody waits.

    gunicorn hands each request from the main loop to a thread and the connection back, which takes as long as a small
    download itself.
    """

    def init_process(self) -> None:
        """Set up the process. Called by gunicorn after the fork."""
        self._waiting: deque[None] = deque()
        super().init_process()

    def enqueue_req(self, connection: TConn) -> None:
        """Hand a request to a thread. Called by gunicorn in the main loop."""
        self._waiting.append(None)
        super().enqueue_req(connection)

    def handle(self, connection: TConn) -> Any:  # noqa: ANN401 - gunicorn's
        """Handle the requests of a connection. Called by gunicorn in a thread."""
        self._waiting.pop()
        end = time.monotonic() + _LONGEST_SECONDS
        while True:
            handled = super().handle(connection)
            if handled is not True or time.monotonic() > end or not self._next_comes(connection):
                return handled

    def _next_comes(self, connection: TConn) -> bool:
        """Return whether the connection's next request is beginning, and no other request waits for a thread."""
        if self._waiting or not self.alive:
            return False
        if connection.parser.unreader.buf.getvalue():
            return True
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return bool(poll.poll(_NEXT_MILLISECONDS)) and not self._waiting
