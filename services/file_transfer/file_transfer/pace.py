"""How slowly a client may send a request's body. Without a limit, it could hold a slot for ever."""

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Pace:
    """At least `min_bytes` must arrive in every `seconds` of waiting for them. With `min_bytes` 0 there is no limit.

    Only time spent waiting counts. While the service itself is slow, because its storage is, the client is not.
    """

    min_bytes: int = 0
    seconds: int = 30


class PacedSocket:
    """The receiving side of a connection while one request is handled. It raises TimeoutError if too little comes."""

    def __init__(self, connection: socket.socket, pace: Pace) -> None:
        self._connection = connection
        self._pace = pace
        self._is_limited = False
        self._waited = 0.0
        self._received = 0

    def recv(self, size: int) -> bytes:
        """Receive up to `size` bytes, as a socket does."""
        return self._receive(lambda: self._connection.recv(size), len)

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, as a socket does. With MSG_WAITALL, it may still be filled in part only."""
        return self._receive(lambda: self._connection.recv_into(buffer, size, flags), int)

    def end(self) -> None:
        """Let whoever reads the connection next wait for any time."""
        if self._is_limited:
            self._limit(0)

    def _receive(self, receive: Callable[[], T], size_of: Callable[[T], int]) -> T:
        if not self._pace.min_bytes:
            return receive()
        if not self._is_limited:
            self._limit(self._pace.seconds)
        while True:
            self._check()
            began = time.monotonic()
            try:
                data = receive()
            except BlockingIOError:  # nothing came in time
                self._waited += time.monotonic() - began
                continue
            self._waited += time.monotonic() - began
            self._received += size_of(data)
            return data

    def _check(self) -> None:
        """Raise if too little came, but only once the application has been given what did."""
        if self._waited < self._pace.seconds:
            return
        if self._received < self._pace.min_bytes:
            raise TimeoutError(f"less than {self._pace.min_bytes} bytes came in {self._pace.seconds} seconds")
        self._waited, self._received = 0.0, 0

    def _limit(self, seconds: int) -> None:
        """Set how long the kernel waits. Python's own timeout would make each receipt return after the first packet."""
        self._is_limited = seconds > 0
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", seconds, 0))
