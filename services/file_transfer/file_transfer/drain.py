"""Graceful shutdown: readiness fails first, so that the edge sends no more requests, and then the server stops."""

import mmap


class Drain:
    """Whether this replica is shutting down. The master process sets it, and its forked workers see it."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def begin(self) -> None:
        """Tell all workers that the replica is shutting down."""
        self._shared[0] = 1

    def has_begun(self) -> bool:
        """Return whether the replica is shutting down."""
        return self._shared[0] == 1
