"""Hashing in threads, while the main thread receives the next bytes and writes the current ones."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor

from file_transfer.storage import Data

_MIN_THREADED_BYTES = 64 * 1024
"""Smaller blocks are hashed at once, since handing them to a thread would cost more than it saves."""

# They begin with the first use: in a worker, not in the process that it is forked from.
_THREADS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hash")


class ConcurrentHash:
    """A running hash; `algorithm` is a name that `hashlib` knows."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self._hash = hashlib.new(algorithm)
        self._pending: Future[None] | None = None

    def update(self, data: Data) -> None:
        """Add the next bytes. They must not change until the next call of any method."""
        self._wait()
        if len(data) < _MIN_THREADED_BYTES:
            self._hash.update(data)
        else:
            self._pending = _THREADS.submit(self._hash.update, data)

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""
        self._wait()
        return self._hash.digest()

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, in hex."""
        return self.digest().hex()

    def _wait(self) -> None:
        if self._pending:
            self._pending.result()
            self._pending = None
