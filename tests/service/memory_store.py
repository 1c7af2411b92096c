"""A chunk store in memory, whose chunks are small, so that many transfers can be tried in a short time."""

import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from file_transfer.chunks import Chunk, Data, MissingChunkError, NextKey


class MemoryStore:
    chunk_bytes = 1000
    reader_grace = timedelta(0)

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    def choose_keys(self, size: int | None) -> list[str]:
        return [uuid.uuid4().hex for _ in range(min(-(-(size or 4000) // self.chunk_bytes), 4))]

    @contextmanager
    def receive(self, next_key: NextKey) -> Iterator["_Incoming"]:
        yield _Incoming(self.stored, next_key)

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Generator[bytes, None, None]:
        try:
            content = b"".join(self.stored[chunk.key] for chunk in chunks)
        except KeyError as error:
            raise MissingChunkError(str(error)) from None
        return (part for part in [content[start : start + size]])

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.stored.pop(key, None)

    def free_bytes(self) -> int | None:
        return None

    def check(self) -> None:
        pass

    def check_writable(self) -> None:
        pass


class _Incoming:
    def __init__(self, stored: dict[str, bytes], next_key: NextKey) -> None:
        self._stored = stored
        self._next_key = next_key
        self._chunks: list[Chunk] = []

    def write(self, data: Data) -> None:
        for first in range(0, len(data), MemoryStore.chunk_bytes):
            key = self._next_key()
            self._stored[key] = bytes(data[first : first + MemoryStore.chunk_bytes])
            self._chunks.append(Chunk(key, len(self._stored[key])))

    def keep(self) -> list[Chunk]:
        return self._chunks
