"""What the service needs of a place for files."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


class UnknownFileError(LookupError):
    """There is no file of that name."""


class StorageFullError(OSError):
    """There is no room for the file; nothing of it is kept."""


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A whole file: its size in bytes, the SHA-256 of its content in hex, and when it was stored (UTC)."""

    name: str
    size: int
    sha256: str
    modified: datetime


class Incoming(Protocol):
    """A file on its way in, invisible until it is published."""

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            StorageFullError: there is no room for them.
        """

    def publish(self, name: str) -> StoredFile:
        """Make all that was written visible under the name, at once, in place of what was there."""


class Storage(Protocol):
    """A place for files that any number of processes share."""

    def receive(self) -> AbstractContextManager[Incoming]:
        """Begin a file; leaving the context without publishing it leaves nothing behind."""

    def open(self, name: str) -> tuple[StoredFile, BinaryIO]:
        """The file and its content, which stays whole whatever happens to the name meanwhile.

        Raises:
            UnknownFileError: there is none.
        """

    def files(self) -> Iterator[StoredFile]:
        """All files, sorted by name."""

    def is_ready(self) -> bool:
        """Whether files can be stored now."""
