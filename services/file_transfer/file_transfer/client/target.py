"""Where a download goes: a file, by way of NAME.part beside it, or standard output."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from file_transfer.client.answers import CHUNK_BYTES
from file_transfer.client.begun import Begun
from file_transfer.client.errors import ClientError


class Target(Protocol):
    """Takes a file's bytes in order; it has the first `position` of the version that `etag` names."""

    position: int
    etag: str

    def begin(self, etag: str) -> None:
        """Forget what there is; another version comes from its first byte on."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def sha256(self) -> str:
        """Of all bytes so far, in hex."""


class PartFile:
    """NAME.part, which becomes NAME by `publish`; what is left of an earlier run is gone on with.

    Raises:
        ClientError: a file is in the way that is not to be overwritten.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, servers: tuple[str, ...], name: str, *, force: bool) -> None:
        self._path = path
        self._force = force
        self._refuse_overwriting()
        self._part = path.with_name(f"{path.name}.part")
        self._begun = Begun()
        self._key = ("get", ",".join(sorted(servers)), name, str(path.resolve()))
        self.position, self.etag = 0, ""
        self._sha256 = hashlib.sha256()
        known = self._begun.word(self._key)
        if known is None and os.path.lexists(self._part) and not force:
            raise ClientError(f"{self._part} is in the way: remove it, or give --force")
        self._file = self._opened()
        if known is not None:
            self._go_on(known)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._file.closed and not self.position:
            self.discard()
        self._file.close()

    def begin(self, etag: str) -> None:
        """See `Target.begin`."""
        self._file.seek(0)
        self._file.truncate()
        self.position, self.etag = 0, etag
        self._sha256 = hashlib.sha256()
        self._begun.keep(self._key, etag)

    def write(self, data: bytes) -> None:
        """See `Target.write`."""
        self._file.write(data)
        self._sha256.update(data)
        self.position += len(data)

    def sha256(self) -> str:
        """See `Target.sha256`."""
        return self._sha256.hexdigest()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._part.unlink(missing_ok=True)
        self._begun.forget(self._key)

    def publish(self) -> None:
        """Give it its name, all of it at once."""
        self._refuse_overwriting()  # it may have come while this one was fetched
        self._file.flush()
        self._part.replace(self._path)
        self._begun.forget(self._key)
        self._file.close()

    def _refuse_overwriting(self) -> None:
        if self._path.exists() and not self._path.is_file():
            raise ClientError(f"{self._path} is no file: name one by -o, or a directory by -O")
        if os.path.lexists(self._path) and not self._force:
            raise ClientError(f"{self._path} is there already: give --force to overwrite it, or another name by -o")

    def _opened(self) -> BinaryIO:
        # A link that somebody else has laid here would lead the content elsewhere.
        file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = os.path.samestat(os.fstat(file.fileno()), self._part.lstat())
        except (BlockingIOError, FileNotFoundError):
            is_free = False
        if not is_free:  # another one writes it, or has just given it its name
            file.close()
            raise ClientError(f"{self._part} is being written: wait for the other download")
        return file

    def _go_on(self, etag: str) -> None:
        self.etag = etag
        while chunk := self._file.read(CHUNK_BYTES):
            self._sha256.update(chunk)
            self.position += len(chunk)


class StandardOutput:
    """A stream that takes nothing back: only the version that was begun can be gone on with."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self.position, self.etag = 0, ""

    def begin(self, etag: str) -> None:
        """See `Target.begin`.

        Raises:
            ClientError: part of another version is out already.
        """
        if self.position:
            raise ClientError("it was replaced on the server while it was fetched: drop what came, and get it again")
        self.etag = etag

    def write(self, data: bytes) -> None:
        """See `Target.write`."""
        self._stream.write(data)
        self._sha256.update(data)
        self.position += len(data)

    def sha256(self) -> str:
        """See `Target.sha256`."""
        return self._sha256.hexdigest()
