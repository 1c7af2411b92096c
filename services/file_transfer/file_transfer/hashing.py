"""Hashing in threads, while the main thread receives the next bytes and writes the current ones."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from file_transfer.chunks import Data

_MIN_THREADED_BYTES = 64 * 1024
"""Smaller blocks are hashed at once, since handing them to a thread would cost more than it saves."""

# They begin with the first use: in a worker, not in the process that it is forked from.
_THREADS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hash")


class Hash(Protocol):
    """A running hash, such as hashlib's."""

    def update(self, data: Data, /) -> None:
        """Add the next bytes."""

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""


class ConcurrentHash:
    """Updates a hash in another thread. The hash must not be used while this object is."""

    def __init__(self, running: Hash) -> None:
        self._hash = running
        self._pending: Future[None] | None = None

    def update(self, data: Data) -> None:
        """Add the next bytes. They must not change until the next call of any method."""
        self.wait()
        if len(data) < _MIN_THREADED_BYTES:
            self._hash.update(data)
        else:
            self._pending = _THREADS.submit(self._hash.update, data)

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        self.wait()
        return self._hash.digest()

    def wait(self) -> None:
        """Wait until the hash has all bytes, so that the caller may use it and reuse its buffers."""
        if self._pending:
            self._pending.result()
            self._pending = None
