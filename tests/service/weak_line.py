"""A line to a server that breaks or stalls when it is told to: TCP on loopback, any server behind it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_PIECE = 2**16


@contextmanager
def weak_line(port: int) -> Iterator["WeakLine"]:
    """A line to the server on `port`."""
    line = WeakLine(port)
    try:
        yield line
    finally:
        line.close()


class WeakLine:
    """What a client says to `url` reaches the server, until one of the methods has it otherwise."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.socket()
        # A sender's idea of what has arrived runs ahead of the truth by what buffers hold.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_cut = False
        self._left = 0
        self._trap: Callable[[], bool] | None = None
        self._let_go = threading.Event()
        self._lost_answer: bytes | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break all connections, and every new one until `mend`."""
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _break(pair)

    def mend(self) -> None:
        self._is_cut = False

    def break_once_after(self, count: int) -> None:
        """Break the connection that carries the byte `count` from now on, once; what came before gets through."""
        self._left, self._trap = count, lambda: False

    def hold_once_after(self, count: int) -> None:
        """The same, but the connection stays and nothing moves on it until `let_go`."""

        def hold() -> bool:
            self._let_go.wait()
            return True

        self._let_go.clear()
        self._left, self._trap = count, hold

    def lose_once(self, answer: bytes) -> None:
        """Break the connection on which an answer begins like this, once, before the client has any of it."""
        self._lost_answer = answer

    def let_go(self) -> None:
        self._let_go.set()

    def close(self) -> None:
        self.let_go()
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
            while (data := client.recv(_PIECE)) and self._goes_on(len(data)):
                server.sendall(data)
        _break((client, server))

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(_PIECE):
                if self._lost_answer and data.startswith(self._lost_answer):
                    self._lost_answer = None
                    break
                client.sendall(data)
        _break((client, server))

    def _goes_on(self, count: int) -> bool:
        with self._lock:
            if not self._trap:
                return True
            self._left -= count
            if self._left > 0:
                return True
            trap, self._trap = self._trap, None
        return trap()


def _break(pair: tuple[socket.socket, socket.socket]) -> None:
    """The server gets all that was on its way to it; the client finds out at once, even while it sends."""
    client, server = pair
    for end in (server, client):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    client.close()
