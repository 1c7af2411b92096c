"""A file that is read once or more, from any place on, and hashed meanwhile."""

import hashlib
import os
from collections.abc import Iterator
from typing import BinaryIO

from file_transfer.client.answers import CHUNK_BYTES
from file_transfer.client.errors import ClientError


class Source:
    """An open regular file; `size` in bytes and `modified` (ns) are those of the moment when it was opened."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size, self.modified = self._version()
        self._sha256 = hashlib.sha256()
        self._hashed = 0

    def pieces(self, position: int) -> "Pieces":
        """The content from there on."""
        return Pieces(self._read(position), self.size - position)

    def sha256(self) -> str:
        """The SHA-256 of all of it in hex; reads what was not read before.

        Raises:
            ClientError: it is no longer what it was when it was opened.
        """
        self._hash_to(self.size)
        self._refuse_change()
        return self._sha256.hexdigest()

    def _read(self, position: int) -> Iterator[bytes]:
        self._hash_to(position)
        self._file.seek(position)
        while position < self.size:
            chunk = self._file.read(min(CHUNK_BYTES, self.size - position))
            if not chunk:
                raise ClientError("it became shorter while it was read: put it again")
            self._hash(position, chunk)
            position += len(chunk)
            if position == self.size:
                self._refuse_change()  # before the last piece makes it visible
            yield chunk

    def _hash_to(self, end: int) -> None:
        self._file.seek(self._hashed)
        while self._hashed < end and (chunk := self._file.read(min(CHUNK_BYTES, end - self._hashed))):
            self._hash(self._hashed, chunk)

    def _hash(self, position: int, chunk: bytes) -> None:
        """Each byte counts once, however often it is read."""
        fresh = memoryview(chunk)[self._hashed - position :]
        self._sha256.update(fresh)
        self._hashed += len(fresh)

    def _refuse_change(self) -> None:
        if self._version() != (self.size, self.modified):
            raise ClientError("it was changed while it was read: put it again")

    def _version(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


class Pieces:
    """Bytes of a known length together: requests then declares it, and sends no chunks."""

    def __init__(self, pieces: Iterator[bytes], size: int) -> None:
        self._pieces = pieces
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces
