"""Files in a directory that all replicas see.

pieces/KEY       content: written once, never changed
files/NAME       what the name stands for (`catalogue`): replaced in one step
uploads/ID       a resumable upload (`uploads`)
incoming/KEY     on its way in
locks/NN         held while a record changes
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
    ConflictError,
    Content,
    Data,
    Piece,
    Record,
    StorageFullError,
    StoredPiece,
    UnknownRecordError,
)

_LEFTOVER_SECONDS = 24 * 3600
_LOCKS = 64
_READ_BYTES = 1024 * 1024
_FLUSH_BYTES = 16 * 1024 * 1024
"""Content after which the disk begins to write, so that little is left to wait for at the end."""

_FLUSHING_THREADS = 4
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DirectoryStorage:
    """Storage in `root`, on one file system that knows atomic renames and locks."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pieces = root / "pieces"
        self._incoming = root / "incoming"
        self._locks = root / "locks"
        self._pool = ThreadPoolExecutor(_FLUSHING_THREADS, thread_name_prefix="flush")
        for folder in (self._pieces, self._incoming, self._locks, root / FILES, root / UPLOADS):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def receive(self) -> Iterator["_IncomingFile"]:
        """See `Storage.receive`."""
        key = uuid.uuid4().hex
        with _full_disk_named(), _Unfinished(f"{self._incoming}/{key}") as file:
            incoming = _IncomingFile(key, file, self._pieces, self._pool)
            try:
                yield incoming
            finally:
                with suppress(OSError):  # of what is kept, `keep` has told
                    incoming.stop_flushing()

    def open(self, pieces: Sequence[Piece], start: int, size: int) -> Content:
        """See `Storage.open`."""
        if len(pieces) == 1:
            file = (self._pieces / pieces[0].key).open("rb", buffering=0)
            file.seek(start)
            return file
        # All at once: a piece that is open stays readable when it is discarded.
        files: list[BinaryIO] = []
        try:
            for piece in pieces:
                files.append((self._pieces / piece.key).open("rb", buffering=0))  # noqa: PERF401 - see `_joined`
        except BaseException:
            _close(files)
            raise
        return _joined(files, start, size)

    def discard(self, pieces: Sequence[Piece]) -> None:
        """See `Storage.discard`."""
        for piece in pieces:
            (self._pieces / piece.key).unlink(missing_ok=True)

    def pieces(self) -> Iterator[StoredPiece]:
        """See `Storage.pieces`."""
        for entry in os.scandir(self._pieces):
            try:
                known = entry.stat()
            except FileNotFoundError:
                continue
            modified = datetime.fromtimestamp(known.st_mtime, UTC)
            yield StoredPiece(Piece(entry.name, known.st_size), modified)

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
        with _full_disk_named(), metrics.storage("write"), _Unfinished(unfinished) as file:
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
        """Take away what killed processes left unfinished more than a day ago."""
        oldest = time.time() - _LEFTOVER_SECONDS
        for entry in os.scandir(self._incoming):
            try:
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()
            except FileNotFoundError:
                continue  # finished meanwhile

    def free_bytes(self) -> int | None:
        """See `Storage.free_bytes`."""
        return shutil.disk_usage(self._root).free

    def is_ready(self) -> bool:
        """Whether the directory is there and may be written to."""
        return all(os.access(folder, os.W_OK) for folder in (self._incoming, self._pieces, self._root / FILES))

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
    """A new file at a path, which is taken away with the context unless it was moved.

    Paths are text here and in `read`: joining Path objects is a good part of what a small file costs.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, "x")
        self._path: str | None = path

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    def write_all(self, data: Data) -> None:
        """Write all of it; the kernel may take it in parts."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(rest) :]

    def move(self, path: str) -> None:
        """Give it its place, where it stays."""
        if self._path:
            Path(self._path).replace(path)
            self._path = None


class _IncomingFile:
    """Content on its way into a directory: one piece."""

    def __init__(self, key: str, file: _Unfinished, pieces: Path, pool: ThreadPoolExecutor) -> None:
        self._key = key
        self._file = file
        self._folder = pieces
        self._pool = pool
        self._size = 0
        self._flushed = 0
        self._flushing: Future[None] | None = None

    def write(self, data: Data) -> None:
        """See `Incoming.write`."""
        with _full_disk_named():
            self._file.write_all(data)
            self._size += len(data)
            if self._size - self._flushed >= _FLUSH_BYTES:
                self._flush()

    def keep(self) -> list[Piece]:
        """See `Incoming.keep`."""
        size, self._size = self._size, 0
        if size == 0:
            return []
        with _full_disk_named(), metrics.storage("keep"):
            self.stop_flushing()
            os.fsync(self._file.fileno())
            self._file.move(f"{self._folder}/{self._key}")
            _sync(self._folder)
        return [Piece(self._key, size)]

    def stop_flushing(self) -> None:
        """Wait for the disk, and say what it could not do: the kernel tells it once, to whoever asks first."""
        flushing, self._flushing = self._flushing, None
        if flushing and not flushing.cancel():
            flushing.result()

    def _flush(self) -> None:
        if self._flushing is None or self._flushing.done():
            self.stop_flushing()
            self._flushed = self._size
            self._flushing = self._pool.submit(os.fdatasync, self._file.fileno())


def _joined(files: list[BinaryIO], start: int, size: int) -> Generator[bytes, None, None]:
    """`size` bytes from `start` of the files one after the other; the files are closed with it."""
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
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except StorageFullError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(error.errno, "there is no room for the file") from error
        raise


def _sync(folder: Path) -> None:
    """Make a rename in the folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
