"""A limit on bytes that are in flight."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Lets threads transfer at most `limit` bytes at the same time, so that a store's servers need little memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Wait until `count` bytes are free, and take them for the context. More than the limit waits to be alone.

        Whoever came first is next, so that many small transfers do not hold up a large one for ever.
        """
        with self._changed:
            turn = object()
            self._waiting.append(turn)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is turn and self._fits(count))
                self._taken += count
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()  # the next one may fit too
        try:
            yield
        finally:
            with self._changed:
                self._taken -= count
                self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return self._taken == 0 or self._taken + count <= self._limit
