"""Health, readiness and metrics, on a port and in threads of their own.

However many transfers run, and whatever the storage does, these are answered. Otherwise a busy replica would be killed
as dead, and with it all its transfers. The edge does not route this port.
"""

import sys
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any

from file_transfer import metrics
from file_transfer.chunks import StorageUnavailableError
from file_transfer.environment import SettingsError
from file_transfer.errors import RefusedError
from file_transfer.readiness import Readiness
from file_transfer.status_handler import StatusHandler


class StatusServer:
    """Listens on all interfaces. The master creates it, and the workers, which inherit its socket, answer.

    Raises:
        SettingsError: the port cannot be used.
    """

    def __init__(self, port: int) -> None:
        try:
            self._server = _Server(("", port), _Handler)
        except OSError as error:
            raise SettingsError(
                f'FILE_TRANSFER_STATUS_PORT is "{port}": {error.strerror}; set it to a free port'
            ) from error
        # Each worker wakes up for a connection, and only one gets it: the others must not wait for the next one.
        self._server.socket.settimeout(0)

    def start(self, readiness: Readiness) -> None:
        """Begin to answer."""
        self._server.readiness = readiness
        Thread(target=self._server.serve_forever, name="status", daemon=True).start()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    readiness: Readiness

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Report an error of ours. That a health check leaves early is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(StatusHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the base class looks for it
        """Answer one of the three paths. Called by the server."""
        match self.path:
            case "/healthz":
                self.answer(200, b"alive\n")
            case "/readyz":
                self.answer(*self._ready())
            case "/metrics":
                self.answer(200, metrics.exposition(), metrics.CONTENT_TYPE)
            case _:
                self.answer(404, b"error: not found\n")

    def _ready(self) -> tuple[int, bytes]:
        try:
            self.server.readiness.check()
        except (RefusedError, StorageUnavailableError) as error:
            return 503, f"error: {error}\n".encode()
        return 200, b"ready\n"
