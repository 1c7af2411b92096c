"""Digests that are computed in threads of their own, while the next bytes come and these go to the disk."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor

from file_transfer.storage import Data

_WORTH_A_THREAD = 64 * 1024
"""Bytes from which on handing them over costs less than their digest."""

# They begin with the first use: in a worker, not in the process that it is forked from.
_THREADS = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="hash")


class ConcurrentHash:
    """A digest of what comes; `algorithm` as `hashlib` names it."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self._hash = hashlib.new(algorithm)
        self._under_way: Future[None] | None = None

    def update(self, data: Data) -> None:
        """Take the next bytes, which must stay as they are until the next call of any method."""
        self._wait()
        if len(data) < _WORTH_A_THREAD:
            self._hash.update(data)
        else:
            self._under_way = _THREADS.submit(self._hash.update, data)

    def digest(self) -> bytes:
        """Of all that has come."""
        self._wait()
        return self._hash.digest()

    def hexdigest(self) -> str:
        """The same, in hex."""
        return self.digest().hex()

    def _wait(self) -> None:
        if self._under_way:
            self._under_way.result()
            self._under_way = None
