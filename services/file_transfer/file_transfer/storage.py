"""What the service needs of a place for files: pieces that never change, and small records that change in one step."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

FILES = "files"
"""Kind of the records that say what a name stands for."""

UPLOADS = "uploads"
"""Kind of the records of resumable uploads."""


_PART_BYTES = 1024 * 1024


class UnknownRecordError(LookupError):
    """There is no record of that name."""


class ConflictError(Exception):
    """Somebody else has changed the record meanwhile."""


class StorageFullError(OSError):
    """There is no room for the content; nothing of it is kept."""


class StorageUnavailableError(Exception):
    """The place cannot be reached, or cannot keep its promise now; later it may."""


@dataclass(frozen=True)
class Piece:
    """A part of a file's content, written once, never changed: its key and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class StoredPiece:
    """A piece as the place lists it, with the time at which it was written."""

    piece: Piece
    modified: datetime


@dataclass(frozen=True)
class Record:
    """A record's content, and a text that is another one whenever the content is."""

    content: bytes
    version: str


Data = bytes | memoryview
"""Content as it comes."""


class Incoming(Protocol):
    """Content on its way in."""

    def write(self, data: Data) -> None:
        """Take the next bytes.

        Raises:
            StorageFullError: there is no room for them.
            StorageUnavailableError: they cannot be kept now.
        """

    def keep(self) -> list[Piece]:
        """Make all that was written last, and say what it became, once; errors as for `write`."""


Content = BinaryIO | Generator[bytes, None, None]
"""A real file, or the content in parts; either is closed by whoever opened it."""


class Storage(Protocol):
    """A place that any number of processes share. All methods may raise StorageUnavailableError."""

    def receive(self) -> AbstractContextManager[Incoming]:
        """Begin a piece of content; leaving the context without `keep` leaves nothing behind."""

    def open(self, pieces: Sequence[Piece], start: int, size: int) -> Content:
        """`size` bytes from `start` of the joined pieces, whole whatever is discarded meanwhile.

        A real file, placed at `start`, where the kernel can send it; else the content in parts, with `close`.
        """

    def discard(self, pieces: Sequence[Piece]) -> None:
        """Forget pieces that no record names any more; those who read them may finish.

        What cannot be forgotten now is among `pieces` still, and swept one day.
        """

    def pieces(self) -> Iterator[StoredPiece]:
        """All pieces, in no order, also those that were left by a process that was killed."""

    def read(self, kind: str, name: str) -> Record:
        """The record.

        Raises:
            UnknownRecordError: there is none.
        """

    def write(self, kind: str, name: str, content: bytes, expected: str | None) -> str:
        """Replace the record of version `expected` (None: there must be none yet), in one step; its new version.

        Raises:
            ConflictError: it has another version.
        """

    def remove(self, kind: str, name: str, expected: str) -> None:
        """Take the record of that version away; errors as for `write`."""

    def names(self, kind: str, prefix: str = "", after: str = "") -> Iterator[str]:
        """The names of all records of the kind, in the order of their UTF-8, which begin so and come later."""

    def tidy(self) -> None:
        """Take away what this place itself keeps for a while only."""

    def free_bytes(self) -> int | None:
        """Room that is left; None if the place does not say."""

    def is_ready(self) -> bool:
        """Whether files can be stored and read now."""


def in_parts(content: Content) -> Iterator[bytes]:
    """What `Storage.open` has opened, part by part."""
    if isinstance(content, Generator):
        return content
    return iter(lambda: content.read(_PART_BYTES), b"")
