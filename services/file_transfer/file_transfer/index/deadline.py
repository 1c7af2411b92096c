"""A limit on how long a thread waits for a database: at the deadline its connection is cut.

A commit that waits for a synchronous standby cannot be given a limit in the database: `statement_timeout` does not
apply to it, and cancelling it reports success although only one host has the data.
"""

import heapq
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count


class Deadlines:
    """Cuts connections whose deadline passes. One thread watches all of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: list[tuple[float, int]] = []
        self._active: dict[int, socket.socket] = {}
        self._numbers = count()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Cut the connection with this file descriptor if the block takes longer. The block then gets its error."""
        # A duplicate, because the database's client may close its descriptor at any time, and the next file or
        # connection that this process opens would get the same number, and would be cut.
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            number = self._add(connection, time.monotonic() + seconds)
            try:
                yield
            finally:
                with self._changed:
                    del self._active[number]

    def close(self) -> None:
        """Stop the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _add(self, connection: socket.socket, deadline: float) -> int:
        with self._changed:
            number = next(self._numbers)
            self._active[number] = connection
            heapq.heappush(self._entries, (deadline, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            if self._entries[0][1] == number:
                self._changed.notify()
        return number

    def _watch(self) -> None:
        with self._changed:
            while not self._is_closed:
                now = time.monotonic()
                while self._entries and (self._entries[0][0] <= now or self._entries[0][1] not in self._active):
                    _, number = heapq.heappop(self._entries)
                    if number in self._active:
                        with suppress(OSError):  # it is broken already
                            self._active[number].shutdown(socket.SHUT_RDWR)
                self._changed.wait(self._entries[0][0] - now if self._entries else None)
