"""A TCP proxy on loopback that breaks or stalls connections when a test asks for it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_BLOCK_BYTES = 2**16


@contextmanager
def flaky_proxy(port: int) -> Iterator["FlakyProxy"]:
    """Run a proxy to the server on `port`."""
    proxy = FlakyProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()


class FlakyProxy:
    """Forwards what a client sends to `url`, until one of the methods breaks it."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.socket()
        # A small buffer, since the sender counts what is in buffers as sent.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BLOCK_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_cut = False
        self._left = 0
        self._trap: Callable[[], bool] | None = None
        self._released = threading.Event()
        self._dropped_response: bytes | None = None
        self._broken: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break all connections, and every new one until `restore`."""
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _break(pair)

    def restore(self) -> None:
        self._is_cut = False

    def break_once_after(self, count: int) -> None:
        """Break one connection when `count` more bytes have been sent. The bytes before are forwarded.

        The server notices first, and the client only when the server has closed the connection. A browser that sends
        the request again by itself could otherwise be faster than the server.
        """
        self._left, self._trap = count, lambda: False

    def stall_once_after(self, count: int) -> None:
        """Stall one connection when `count` more bytes have been sent. It stays open until `release`."""

        def stall() -> bool:
            self._released.wait()
            return True

        self._released.clear()
        self._left, self._trap = count, stall

    def drop_response_once(self, response: bytes) -> None:
        """Break one connection whose response begins with these bytes, before any of them reaches the client."""
        self._dropped_response = response

    def release(self) -> None:
        self._released.set()

    def close(self) -> None:
        self.release()
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                pair = client, socket.create_connection(self._server)
                with self._lock:
                    self._pairs.append(pair)
                    is_cut = self._is_cut
                if is_cut:
                    _break(pair)
                threading.Thread(target=self._to_server, args=pair, daemon=True).start()
                threading.Thread(target=self._to_client, args=pair, daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(_BLOCK_BYTES):
                if not self._may_forward(len(data)):
                    self._broken.add(server)
                    server.shutdown(socket.SHUT_WR)
                    return
                server.sendall(data)
        _break((client, server))

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_BLOCK_BYTES):
                if self._dropped_response and data.startswith(self._dropped_response):
                    self._dropped_response = None
                    break
                if server not in self._broken:
                    client.sendall(data)
        _break((client, server))

    def _may_forward(self, count: int) -> bool:
        with self._lock:
            if not self._trap:
                return True
            self._left -= count
            if self._left > 0:
                return True
            trap, self._trap = self._trap, None
        return trap()


def _break(pair: tuple[socket.socket, socket.socket]) -> None:
    """Break a connection. The server still gets what has been forwarded; the client notices at once."""
    client, server = pair
    for end in (server, client):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    client.close()
