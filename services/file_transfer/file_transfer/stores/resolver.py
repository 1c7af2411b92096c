"""Addresses of names, found within a second or not at all."""

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from time import monotonic

_PATIENCE_SECONDS = 1
_KEPT_SECONDS = 5


class Resolver:
    """Resolves `HOST:PORT` to `IP:PORT`, one for each address of the host, and remembers them for a few seconds.

    When a host is gone, Docker's name server forwards its name to the outside, where nobody may answer for a long time.
    So after a second of waiting, the last known addresses are returned.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="resolve")
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, list[str]]] = {}
        self._running: dict[str, Future[list[str]]] = {}

    def addresses(self, name: str) -> list[str]:
        """Return the addresses; none if the name was never resolved."""
        with self._lock:
            since, known = self._known.get(name, (float("-inf"), []))
            if monotonic() - since < _KEPT_SECONDS:
                return known
            if name not in self._running:
                self._running[name] = self._pool.submit(self._resolve, name)
            running = self._running[name]
        try:
            return running.result(timeout=_PATIENCE_SECONDS) or known
        except FutureTimeoutError:
            return known

    def _resolve(self, name: str) -> list[str]:
        host, _, port = name.rpartition(":")
        try:
            found = [
                f"{address[4][0]}:{port}"
                for address in socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
            ]
        except OSError:
            found = []
        with self._lock:
            if found:
                self._known[name] = (monotonic(), found)
            del self._running[name]
        return found
