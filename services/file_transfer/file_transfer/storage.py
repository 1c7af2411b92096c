"""The interface of storage: chunks, which never change, and small records, which change atomically."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

FILES = "files"
"""The kind of the records that describe a published file under its name."""

UPLOADS = "uploads"
"""The kind of the records of resumable uploads."""

_BLOCK_BYTES = 1024 * 1024


class UnknownRecordError(LookupError):
    """There is no record with that name."""


class ConflictError(Exception):
    """Another process has changed the record meanwhile."""


class StorageFullError(OSError):
    """There is no space for the content; none of it is kept."""


class StorageUnavailableError(Exception):
    """The storage cannot be reached or cannot store reliably at the moment. A later try may succeed."""


@dataclass(frozen=True)
class Chunk:
    """An immutable piece of a file's content, known by its key; `size` is in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class StoredChunk:
    """A chunk in a listing of the storage, with the time at which it was written."""

    chunk: Chunk
    modified: datetime


@dataclass(frozen=True)
class Record:
    """A record's content, and a version that differs whenever the content does."""

    content: bytes
    version: str


Data = bytes | memoryview
"""A block of content."""


class IncomingContent(Protocol):
    """Content that is being written."""

    def write(self, data: Data) -> None:
        """Write the next bytes.

        Raises:
            StorageFullError: there is no space for them.
            StorageUnavailableError: they cannot be stored at the moment.
        """

    def keep(self) -> list[Chunk]:
        """Make what was written durable and return its chunks. May be called once; raises the errors of `write`."""


Content = BinaryIO | Generator[bytes, None, None]
"""A real file, or a generator of blocks. The caller closes it."""


class Storage(Protocol):
    """Storage that any number of processes share. All methods may raise StorageUnavailableError."""

    def receive(self) -> AbstractContextManager[IncomingContent]:
        """Begin to write content. Leaving the context without `keep` discards it."""

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """Open `size` bytes from position `start` of the joined chunks. They stay readable even if discarded meanwhile.

        The result is a real file at position `start` if the kernel can send it, else a generator of blocks.
        """

    def discard(self, chunks: Sequence[Chunk]) -> None:
        """Delete chunks that no record names any more. Downloads that read them can finish.

        A chunk that cannot be deleted now stays listed in `chunks`, and is swept later.
        """

    def chunks(self) -> Iterator[StoredChunk]:
        """Yield all chunks in any order, including those that killed processes have left behind."""

    def read(self, kind: str, name: str) -> Record:
        """Return the record.

        Raises:
            UnknownRecordError: there is no such record.
        """

    def write(self, kind: str, name: str, content: bytes, expected: str | None) -> str:
        """Atomically replace the record and return its new version.

        The current version must be `expected`; None means that there must be no record.

        Raises:
            ConflictError: the record has another version.
        """

    def remove(self, kind: str, name: str, expected: str) -> None:
        """Delete the record if it has the expected version.

        Raises:
            ConflictError: the record has another version.
        """

    def names(self, kind: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """Yield the names of the records that begin with `prefix` and sort after `after`, in the order of UTF-8."""

    def tidy(self) -> None:
        """Delete what the storage itself keeps only for a while."""

    def free_bytes(self) -> int | None:
        """Return the free space in bytes, or None if the storage cannot tell."""

    def is_ready(self) -> bool:
        """Return whether files can be stored and read at the moment."""


def blocks(content: Content) -> Iterator[bytes]:
    """Yield the blocks of content that `Storage.open` has opened."""
    if isinstance(content, Generator):
        return content
    return iter(lambda: content.read(_BLOCK_BYTES), b"")
