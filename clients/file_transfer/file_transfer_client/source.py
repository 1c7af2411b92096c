"""A file to upload, which can be read again from any position and is hashed while it is read."""

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from file_transfer_client.errors import ClientError
from file_transfer_client.responses import BLOCK_BYTES


class Source:
    """An open regular file. `size` (bytes) and `modified` (nanoseconds) are as they were when it was opened."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size, self.modified = self._stat()
        self._sha256 = hashlib.sha256()
        self._hashed = 0

    def content_from(self, position: int) -> "SizedContent":
        """Return the content from the position to the end."""
        return SizedContent(self._read(position), self.size - position)

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file in hex, reading what has not been read yet.

        Raises:
            ClientError: the file has changed since it was opened.
        """
        self._hash_up_to(self.size)
        self._check_unchanged()
        return self._sha256.hexdigest()

    def _read(self, position: int) -> Iterator[bytes]:
        self._hash_up_to(position)
        self._file.seek(position)
        while position < self.size:
            block = self._file.read(min(BLOCK_BYTES, self.size - position))
            if not block:
                raise ClientError("the file became shorter while it was read: put it again")
            self._hash(position, block)
            position += len(block)
            if position == self.size:
                self._check_unchanged()  # the server publishes the file once it has the last block
            yield block

    def _hash_up_to(self, end: int) -> None:
        self._file.seek(self._hashed)
        while self._hashed < end and (block := self._file.read(min(BLOCK_BYTES, end - self._hashed))):
            self._hash(self._hashed, block)

    def _hash(self, position: int, block: bytes) -> None:
        """Hash the bytes of the block that have not been hashed before, since blocks can be read again."""
        new = memoryview(block)[self._hashed - position :]
        self._sha256.update(new)
        self._hashed += len(new)

    def _check_unchanged(self) -> None:
        if self._stat() != (self.size, self.modified):
            raise ClientError("the file was changed while it was read: put it again")

    def _stat(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


class SizedContent:
    """Blocks with a known total size, so that the package requests sends Content-Length and not chunks."""

    def __init__(self, blocks: Iterator[bytes], size: int) -> None:
        self._blocks = blocks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks
