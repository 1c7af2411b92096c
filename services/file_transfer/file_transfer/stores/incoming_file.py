"""Content that is being written to a file."""

import errno
import io
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from file_transfer import metrics
from file_transfer.chunks import Chunk, Data, NextKey, StorageFullError

_FLUSH_BYTES = 16 * 1024 * 1024
"""Bytes after which writing to the disk begins, so that the final fsync has little left to wait for."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


class IncomingFile:
    """Content that is being written to a file of its own, which is created with the first byte."""

    def __init__(self, next_key: NextKey, root: Path, pool: ThreadPoolExecutor) -> None:
        self._next_key = next_key
        self._root = root
        self._pool = pool
        self._key = ""
        self._file: io.FileIO | None = None
        self._is_kept = False
        self._size = 0
        self._flushed = 0
        self._flushing: Future[None] | None = None

    def write(self, data: Data) -> None:
        """See `IncomingContent.write`."""
        remaining = memoryview(data)
        if not remaining:
            return
        with full_disk_translated():
            if self._file is None:
                self._key = self._next_key()
                self._file = io.FileIO(f"{self._root}/{self._key}", "x")
            self._size += len(remaining)
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
            if self._size - self._flushed >= _FLUSH_BYTES:
                self._flush(self._file)

    def keep(self) -> list[Chunk]:
        """See `IncomingContent.keep`."""
        if self._file is None:
            return []
        with full_disk_translated(), metrics.storage("keep"):
            self._stop_flushing()
            os.fsync(self._file.fileno())
            _sync(self._root)
        self._is_kept = True
        return [Chunk(self._key, self._size)]

    def close(self) -> None:
        """Close the file, and delete it unless it was kept."""
        with suppress(OSError):  # the error of content that nobody keeps
            self._stop_flushing()
        if self._file:
            self._file.close()
            if not self._is_kept:
                (self._root / self._key).unlink(missing_ok=True)

    def _flush(self, file: io.FileIO) -> None:
        if self._flushing is None or self._flushing.done():
            self._stop_flushing()
            self._flushed = self._size
            self._flushing = self._pool.submit(os.fdatasync, file.fileno())

    def _stop_flushing(self) -> None:
        """Wait for the disk, and raise its error: the kernel reports an error only once, to the first who asks."""
        flushing, self._flushing = self._flushing, None
        if flushing and not flushing.cancel():
            flushing.result()


@contextmanager
def full_disk_translated() -> Iterator[None]:
    """Turn the errors of a full disk into StorageFullError."""
    try:
        yield
    except StorageFullError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(error.errno, "there is no space left for the file") from error
        raise


def _sync(folder: Path) -> None:
    """Make new names in the folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
