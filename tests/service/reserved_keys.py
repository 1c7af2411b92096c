"""The keys that a store chose, as the index would reserve them."""

from collections.abc import Generator, Sequence

from file_transfer.chunks import Chunk, ChunkStore


class ReservedKeys:
    """Returns the keys from `first`, then batches that the store chooses. All of them are in `reserved`."""

    def __init__(self, store: ChunkStore, first: Sequence[str] = (), size: int | None = None) -> None:
        self._store = store
        self._size = size
        self._left = list(first)
        self.reserved = list(first)

    def __call__(self, *, fresh: bool = False) -> str:
        if fresh:
            self._left = []
        if not self._left:
            self._left = self._store.choose_keys(self._size)
            self.reserved += self._left
        return self._left.pop(0)


def keep(store: ChunkStore, *pieces: bytes) -> list[Chunk]:
    with store.receive(ReservedKeys(store)) as incoming:
        for piece in pieces:
            incoming.write(piece)
        return incoming.keep()


def read(store: ChunkStore, chunks: Sequence[Chunk], start: int = 0, size: int | None = None) -> bytes:
    """Return the bytes; `size` None means up to the end."""
    size = sum(chunk.size for chunk in chunks) - start if size is None else size
    content = store.open(chunks, start, size)
    try:
        return b"".join(content) if isinstance(content, Generator) else content.read(size)
    finally:
        content.close()
