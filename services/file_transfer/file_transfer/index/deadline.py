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
        self._entries: list[tuple[float, int, int]] = []
        self._active: dict[int, int] = {}
        self._numbers = count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, descriptor: int, seconds: float) -> Iterator[None]:
        """Cut the connection with this file descriptor if the block takes longer. The block then gets its error."""
        number = next(self._numbers)
        with self._changed:
            self._active[number] = descriptor
            heapq.heappush(self._entries, (time.monotonic() + seconds, number, descriptor))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._active.pop(number, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                while self._entries and (self._entries[0][0] <= now or self._entries[0][1] not in self._active):
                    _, number, descriptor = heapq.heappop(self._entries)
                    if number in self._active:
                        _cut(descriptor)
                self._changed.wait(self._entries[0][0] - now if self._entries else None)


def _cut(descriptor: int) -> None:
    # A duplicate, because the socket object would close the descriptor that belongs to the database's client.
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
        connection.shutdown(socket.SHUT_RDWR)
