"""gunicorn's worker with threads, in which no client holds a thread by sending its body slowly or not at all."""

import selectors
import socket
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn

from file_transfer.gunicorn_server.keep_alive import KeepAliveWorker
from file_transfer.pace import PacedSocket

_REUSE_SECONDS = 0.05
"""How long a thread waits for the rest of a body that nobody needs, so that its connection can be used again."""

_LINGER_SECONDS = 5
_LINGER_BYTES = 16 * 2**20
_LINGER_CONNECTIONS = 256
_STEP_BYTES = 256 * 1024


@dataclass(eq=False)
class _Closing:
    """A connection that is being closed: when it is cut at the latest, and after how many more bytes."""

    connection: TConn
    deadline: float
    left: int = _LINGER_BYTES


class Worker(KeepAliveWorker):
    """Reads bodies at the application's pace, and closes connections in the main loop.

    gunicorn itself reads what is left of a refused request's body in the request's thread, for five seconds, and closes
    connections in the main loop, which stands still for up to two seconds each.
    """

    def init_process(self) -> None:
        """Set up the process. Called by gunicorn after the fork."""
        self._closing: deque[_Closing] = deque()
        super().init_process()

    def handle_request(self, request: Any, connection: TConn) -> Any:  # noqa: ANN401 - gunicorn's
        """Handle a request, whose body must not come too slowly. Called by gunicorn in a thread."""
        unreader = connection.parser.unreader
        paced = PacedSocket(connection.sock, self.app.pace)
        unreader.sock = paced
        try:
            return super().handle_request(request, connection)
        finally:
            unreader.sock = connection.sock
            paced.end()

    def _keepalive_after(self, connection: TConn, keepalive: object) -> bool:
        """Return whether the connection can be used again. Called by gunicorn in the request's thread."""
        return bool(keepalive and connection.parser.finish_body(deadline=time.monotonic() + _REUSE_SECONDS))

    def finish_request(self, connection: TConn, handled: Future[Any]) -> None:
        """Keep the connection, or close it. Called by gunicorn in the main loop."""
        if handled.cancelled() or handled.exception() or handled.result():
            super().finish_request(connection, handled)
        else:
            self._begin_to_close(connection)

    def murder_pending(self) -> None:
        """Close the connections whose time is up. Called by gunicorn in the main loop, at least once a second."""
        super().murder_pending()
        while self._closing and self._closing[0].deadline <= time.monotonic():
            self._close(self._closing[0])

    def _begin_to_close(self, connection: TConn) -> None:
        """End the response, and read for a while what the client still sends.

        If its bytes met a closed socket, the kernel would send a reset, which destroys a response that the client has
        not read yet: it would never learn why it was refused.
        """
        if len(self._closing) >= _LINGER_CONNECTIONS:
            self._close(self._closing[0])
        closing = _Closing(connection, time.monotonic() + _LINGER_SECONDS)
        self._closing.append(closing)
        try:
            connection.sock.settimeout(0)
            connection.sock.shutdown(socket.SHUT_WR)
            self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._drain, closing))
        except OSError:  # the client has gone
            self._close(closing)

    def _drain(self, closing: _Closing, connection: socket.socket) -> None:
        try:
            size = len(connection.recv(_STEP_BYTES))
        except BlockingIOError:
            return
        except OSError:
            size = 0
        closing.left -= size
        if not size or closing.left <= 0:
            self._close(closing)

    def _close(self, closing: _Closing) -> None:
        self._closing.remove(closing)
        with suppress(OSError, KeyError, ValueError):  # it never was registered
            self.poller.unregister(closing.connection.sock)
        self.nr_conns -= 1
        closing.connection.close()
