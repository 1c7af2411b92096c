"""A limit on bytes that are in flight."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Lets threads transfer at most `limit` bytes at the same time, so that a store's servers need little memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Wait until `count` bytes are free, and take them for the context. More than the limit waits to be alone."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + count <= self._limit)
            self._taken += count
        try:
            yield
        finally:
            with self._changed:
                self._taken -= count
                self._changed.notify_all()
