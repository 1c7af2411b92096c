"""Storage in a directory that all replicas share.

pieces/KEY       a chunk of content, written once and never changed
files/NAME       the record of a published file, replaced atomically
uploads/ID       the record of a resumable upload
incoming/KEY     content that is being written
locks/NN         locks held while a record changes
"""

import errno
import fcntl
import io
import os
import shutil
import time
import uuid
import zlib
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from file_transfer import metrics
from file_transfer.storage import (
    FILES,
    UPLOADS,
    Chunk,
    ConflictError,
    Content,
    Data,
    Record,
    StorageFullError,
    StoredChunk,
    UnknownRecordError,
)

_LEFTOVER_SECONDS = 24 * 3600
_LOCKS = 64
_READ_BYTES = 1024 * 1024
_FLUSH_BYTES = 16 * 1024 * 1024
"""Bytes after which writing to the disk begins, so that the final fsync has little left to wait for."""

_FLUSHING_THREADS = 4
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DirectoryStorage:
    """Storage in the directory `root`, whose file system must support atomic renames and locks."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._chunks = root / "pieces"
        self._incoming = root / "incoming"
        self._locks = root / "locks"
        self._pool = ThreadPoolExecutor(_FLUSHING_THREADS, thread_name_prefix="flush")
        for folder in (self._chunks, self._incoming, self._locks, root / FILES, root / UPLOADS):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def receive(self) -> Iterator["_IncomingContent"]:
        """See `Storage.receive`."""
        key = uuid.uuid4().hex
        with _full_disk_translated(), _Unfinished(f"{self._incoming}/{key}") as file:
            incoming = _IncomingContent(key, file, self._chunks, self._pool)
            try:
                yield incoming
            finally:
                with suppress(OSError):  # for content that is kept, `keep` has raised it already
                    incoming.stop_flushing()

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """See `Storage.open`."""
        if len(chunks) == 1:
            file = (self._chunks / chunks[0].key).open("rb", buffering=0)
            file.seek(start)
            return file
        # All chunks are opened now, since an open one stays readable when it is discarded.
        files: list[BinaryIO] = []
        try:
            for chunk in chunks:
                files.append((self._chunks / chunk.key).open("rb", buffering=0))  # noqa: PERF401 - `_close` needs those opened so far
        except BaseException:
            _close(files)
            raise
        return _joined(files, start, size)

    def discard(self, chunks: Sequence[Chunk]) -> None:
        """See `Storage.discard`."""
        for chunk in chunks:
            (self._chunks / chunk.key).unlink(missing_ok=True)

    def chunks(self) -> Iterator[StoredChunk]:
        """See `Storage.chunks`."""
        for entry in os.scandir(self._chunks):
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            modified = datetime.fromtimestamp(status.st_mtime, UTC)
            yield StoredChunk(Chunk(entry.name, status.st_size), modified)

    def read(self, kind: str, name: str) -> Record:
        """See `Storage.read`."""
        try:
            with io.FileIO(f"{self._root}/{kind}/{name}") as file:
                content = file.readall()
        except FileNotFoundError:
            raise UnknownRecordError(name) from None
        return Record(content, content.decode())

    def write(self, kind: str, name: str, content: bytes, expected: str | None) -> str:
        """See `Storage.write`."""
        unfinished = f"{self._incoming}/{uuid.uuid4().hex}.record"
        with _full_disk_translated(), metrics.storage("write"), _Unfinished(unfinished) as file:
            file.write_all(content)
            os.fsync(file.fileno())
            with self._unchanged(kind, name, expected):
                file.move(f"{self._root}/{kind}/{name}")
        _sync(self._root / kind)
        return content.decode()

    def remove(self, kind: str, name: str, expected: str) -> None:
        """See `Storage.remove`."""
        with self._unchanged(kind, name, expected):
            (self._root / kind / name).unlink()
        _sync(self._root / kind)

    def names(self, kind: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """See `Storage.names`."""
        found = (entry.name for entry in os.scandir(self._root / kind))
        return iter(sorted(name for name in found if name.startswith(prefix) and name > after))

    def tidy(self) -> None:
        """Delete what killed processes have left unfinished for more than a day."""
        oldest = time.time() - _LEFTOVER_SECONDS
        for entry in os.scandir(self._incoming):
            try:
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()
            except FileNotFoundError:
                continue  # finished in the meantime

    def free_bytes(self) -> int | None:
        """See `Storage.free_bytes`."""
        return shutil.disk_usage(self._root).free

    def is_ready(self) -> bool:
        """Return whether the directory exists and is writable."""
        return all(os.access(folder, os.W_OK) for folder in (self._incoming, self._chunks, self._root / FILES))

    @contextmanager
    def _unchanged(self, kind: str, name: str, expected: str | None) -> Iterator[None]:
        with io.FileIO(f"{self._locks}/{zlib.crc32(name.encode()) % _LOCKS}", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                version: str | None = self.read(kind, name).version
            except UnknownRecordError:
                version = None
            if version != expected:
                raise ConflictError(name)
            yield


class _Unfinished(io.FileIO):
    """A new file at a path, which is deleted at the end of the context unless it was moved.

    Paths are strings here and in `read`, since joining Path objects is a large part of the cost of a small file.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "x")
        self._path: str | None = path

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    def write_all(self, data: Data) -> None:
        """Write all bytes, however few the kernel accepts at once."""
        remaining = memoryview(data)
        while remaining:
            remaining = remaining[self.write(remaining) :]

    def move(self, path: str) -> None:
        """Move the file to its final path."""
        if self._path:
            Path(self._path).replace(path)
            self._path = None


class _IncomingContent:
    """Content that is being written to a directory, as one chunk."""

    def __init__(self, key: str, file: _Unfinished, chunks: Path, pool: ThreadPoolExecutor) -> None:
        self._key = key
        self._file = file
        self._folder = chunks
        self._pool = pool
        self._size = 0
        self._flushed = 0
        self._flushing: Future[None] | None = None

    def write(self, data: Data) -> None:
        """See `IncomingContent.write`."""
        with _full_disk_translated():
            self._file.write_all(data)
            self._size += len(data)
            if self._size - self._flushed >= _FLUSH_BYTES:
                self._flush()

    def keep(self) -> list[Chunk]:
        """See `IncomingContent.keep`."""
        size, self._size = self._size, 0
        if size == 0:
            return []
        with _full_disk_translated(), metrics.storage("keep"):
            self.stop_flushing()
            os.fsync(self._file.fileno())
            self._file.move(f"{self._folder}/{self._key}")
            _sync(self._folder)
        return [Chunk(self._key, size)]

    def stop_flushing(self) -> None:
        """Wait for the disk, and raise its error: the kernel reports an error only once, to the first who asks."""
        flushing, self._flushing = self._flushing, None
        if flushing and not flushing.cancel():
            flushing.result()

    def _flush(self) -> None:
        if self._flushing is None or self._flushing.done():
            self.stop_flushing()
            self._flushed = self._size
            self._flushing = self._pool.submit(os.fdatasync, self._file.fileno())


def _joined(files: list[BinaryIO], start: int, size: int) -> Generator[bytes, None, None]:
    """Yield `size` bytes from position `start` of the concatenated files, and close them at the end."""
    try:
        for file in files:
            length = os.fstat(file.fileno()).st_size
            if start >= length:
                start -= length
                continue
            file.seek(start)
            start = 0
            while size and (data := file.read(min(size, _READ_BYTES))):
                size -= len(data)
                yield data
    finally:
        _close(files)


def _close(files: list[BinaryIO]) -> None:
    for file in files:
        file.close()


@contextmanager
def _full_disk_translated() -> Iterator[None]:
    try:
        yield
    except StorageFullError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(error.errno, "there is no space left for the file") from error
        raise


def _sync(folder: Path) -> None:
    """Make a rename in the folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
