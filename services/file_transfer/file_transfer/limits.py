"""Limits on the size of one file, of all files, of what is stored with one token, and on the disk."""

from dataclasses import dataclass

from file_transfer.chunks import ChunkStore
from file_transfer.errors import NoRoomError, TooLargeError


@dataclass(frozen=True, kw_only=True)
class Owner:
    """For whom content counts: the token named `name`, and the `quota` in bytes of all that is stored with it.

    Without a name it counts for no token. A quota of 0 means no limit.
    """

    name: str = ""
    quota: int = 0


NOBODY = Owner()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes; a `quota` or `min_free` of 0 means no limit. The index checks the quota when it reserves room."""

    max_file: int
    quota: int = 0
    min_free: int = 0

    def check_size(self, size: int) -> None:
        """Check that a file may have this size in bytes.

        Raises:
            TooLargeError: it is too large.
        """
        if size > self.max_file:
            raise TooLargeError(f"the file has more than {self.max_file} bytes, the largest size allowed")

    def check_free(self, store: ChunkStore, size: int) -> None:
        """Check that the store has room for `size` more bytes.

        Raises:
            NoRoomError: it has not.
        """
        free = store.free_bytes() if self.min_free else None
        if free is not None and free - size < self.min_free:
            raise NoRoomError("there is no space left for the file")
