"""The interface of chunk stores: they keep the bytes of files as chunks, which never change.

The index says which chunks a file consists of. It also reserves every key before anything is stored under it, so what a
killed process has left behind is known to the index, and no store has to be searched for garbage.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol

_BLOCK_BYTES = 1024 * 1024


class StorageFullError(OSError):
    """There is no space for the content; none of it is kept."""


class StorageUnavailableError(Exception):
    """Chunks cannot be reached or not be stored reliably at the moment. A later try may succeed."""


class MissingChunkError(Exception):
    """The store answers and has no such chunk: its bytes are gone."""


@dataclass(frozen=True)
class Chunk:
    """An immutable piece of content, known by its key; `size` is in bytes."""

    key: str
    size: int


Data = bytes | memoryview
"""A block of content."""

Content = BinaryIO | Generator[bytes, None, None]
"""A real file at its position, which the kernel can send, or a generator of blocks. The caller closes it."""


class NextKey(Protocol):
    """Returns the keys under which content is stored, one at a time."""

    def __call__(self, *, fresh: bool = False) -> str:
        """Return the next key, which the index has already reserved.

        `fresh` drops keys that were chosen earlier, since the place that they stand for may have failed.
        """


class IncomingContent(Protocol):
    """Content that is being written."""

    def write(self, data: Data) -> None:
        """Write the next bytes. The caller may reuse its buffer afterwards.

        Raises:
            StorageFullError: there is no space for them.
            StorageUnavailableError: they cannot be stored at the moment.
        """

    def keep(self) -> list[Chunk]:
        """Make what was written durable, with all its copies, and return its chunks in order.

        May be called once; raises the errors of `write`.
        """


class ChunkStore(Protocol):
    """A store that any number of processes share. Create it in the process that uses it: threads do not survive a fork.

    All methods but the constructor may be called by several threads at once.
    """

    @property
    def chunk_bytes(self) -> int | None:
        """The size of every chunk but the last one of a transfer. None: a transfer is one chunk."""

    @property
    def reader_grace(self) -> timedelta:
        """How long the chunks of a deleted file must stay for downloads that have begun before."""

    def choose_keys(self, size: int | None) -> list[str]:
        """Choose keys for `size` more bytes, at least one and at most one batch. Nothing is stored yet.

        `size` is None if it is unknown.

        Raises:
            StorageFullError: there is no space.
            StorageUnavailableError: the store cannot say at the moment where chunks can be stored.
        """

    def receive(self, next_key: NextKey) -> AbstractContextManager[IncomingContent]:
        """Begin to write content, whose chunks are stored under the keys from `next_key`.

        Without `keep`, what was stored remains under those keys until they are deleted.
        """

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """Open `size` bytes from position `start` of the joined chunks.

        Raises:
            MissingChunkError: a chunk is gone. The blocks of a generator may raise it too.
            StorageUnavailableError: a chunk cannot be read at the moment. The blocks may raise it too.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Delete what is stored under the keys, finished or not. Keys without a chunk are fine.

        Raises:
            StorageUnavailableError: some could not be deleted; the call can be repeated.
        """

    def free_bytes(self) -> int | None:
        """Return how many more bytes can be stored, or None if that is unknown."""

    def check(self) -> None:
        """Check that chunks can be read at all. It is cheap and may be called every second.

        Raises:
            StorageUnavailableError: they cannot; the text is the reason.
        """

    def check_writable(self) -> None:
        """Check that a chunk would get all its copies now. It is cheap and may be called every second.

        Raises:
            StorageUnavailableError: it would not; the text is the reason.
        """


def blocks(content: Content) -> Iterator[bytes]:
    """Yield the blocks of content that `ChunkStore.open` has opened."""
    if isinstance(content, Generator):
        return content
    return iter(lambda: content.read(_BLOCK_BYTES), b"")
