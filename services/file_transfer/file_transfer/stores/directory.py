"""A chunk store in a directory of this machine: each chunk is a file with the chunk's key as its name.

An unfinished chunk is a file under the same name. Nobody reads it, since the index names a chunk only when it is kept.
"""

import io
import os
import shutil
import uuid
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast

from file_transfer.chunks import Chunk, Content, MissingChunkError, NextKey, StorageUnavailableError
from file_transfer.stores.incoming_file import IncomingFile, full_disk_translated
from file_transfer.stores.ranges import ChunkRange, ranges

_OPEN_AT_ONCE = 64
"""Files that a download opens at its beginning. Only they stay readable when they are deleted meanwhile."""

_BLOCK_BYTES = 1024 * 1024
_FLUSHING_THREADS = 4


class DirectoryStore:
    """A store in the directory `root`, which is created. A transfer is one chunk of any size.

    Uploads need no wait for the disk in common: the kernel writes what several threads wait for at the same time in one
    go, and this was measured to be as fast.
    """

    chunk_bytes = None
    reader_grace = timedelta(0)  # a deleted file stays readable for those who have opened it

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(_FLUSHING_THREADS, thread_name_prefix="flush")

    def choose_keys(self, size: int | None) -> list[str]:  # noqa: ARG002 - one chunk holds any size
        """See `ChunkStore.choose_keys`."""
        return [uuid.uuid4().hex]

    @contextmanager
    def receive(self, next_key: NextKey) -> Iterator[IncomingFile]:
        """See `ChunkStore.receive`."""
        with full_disk_translated():
            incoming = IncomingFile(next_key, self._root, self._pool)
            try:
                yield incoming
            finally:
                incoming.close()

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """See `ChunkStore.open`."""
        wanted = list(ranges(chunks, start, size))
        if len(wanted) == 1:
            return self._open(wanted[0])
        content = self._joined(wanted)
        next(content)
        return content

    def delete(self, keys: Sequence[str]) -> None:
        """See `ChunkStore.delete`."""
        for key in keys:
            try:
                (self._root / key).unlink(missing_ok=True)
            except OSError as error:
                raise StorageUnavailableError(f"{self._root / key} cannot be deleted: {error.strerror}") from error

    def free_bytes(self) -> int | None:
        """See `ChunkStore.free_bytes`."""
        return shutil.disk_usage(self._root).free

    def check(self) -> None:
        """See `ChunkStore.check`."""
        self._check(os.R_OK | os.X_OK, "readable")

    def check_writable(self) -> None:
        """See `ChunkStore.check_writable`."""
        self._check(os.W_OK | os.X_OK, "writable")

    def _check(self, mode: int, needed: str) -> None:
        if not os.access(self._root, mode):
            raise StorageUnavailableError(f"the directory {self._root} is not {needed}")

    def _open(self, wanted: ChunkRange) -> BinaryIO:
        """Open the chunk at the start of the range."""
        path = f"{self._root}/{wanted.chunk.key}"
        try:
            file = io.FileIO(path)
        except FileNotFoundError:
            raise MissingChunkError(f"the file {path} is gone") from None
        if os.fstat(file.fileno()).st_size < wanted.end:
            file.close()
            raise MissingChunkError(f"the file {path} is shorter than {wanted.end} bytes")
        file.seek(wanted.start)
        return cast("BinaryIO", file)

    def _joined(self, wanted: Sequence[ChunkRange]) -> Generator[bytes, None, None]:
        """Yield an empty block when the files are open, then the bytes of the ranges. Close the files at the end."""
        with ExitStack() as opened:
            files = [opened.enter_context(self._open(part)) for part in wanted[:_OPEN_AT_ONCE]]
            yield b""
            for index, part in enumerate(wanted):
                with files[index] if index < _OPEN_AT_ONCE else self._open(part) as file:
                    left = part.size
                    while left and (data := file.read(min(left, _BLOCK_BYTES))):
                        left -= len(data)
                        yield data
