"""Destinations of a download: a file, written as NAME.part first, or standard output."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from file_transfer_client.errors import ClientError
from file_transfer_client.responses import BLOCK_BYTES
from file_transfer_client.resume_store import ResumeStore


class Target(Protocol):
    """Receives a file's bytes in order. It has the first `position` bytes of the version with this `etag`."""

    position: int
    etag: str

    def begin(self, etag: str) -> None:
        """Discard what has been written and start with the first byte of another version."""

    def write(self, data: bytes) -> None:
        """Write the next bytes."""

    def sha256(self) -> str:
        """Return the SHA-256 of all bytes so far, in hex."""


class PartFile:
    """NAME.part, which `publish` renames to NAME. What an earlier run has left in it is kept and continued.

    Raises:
        ClientError: NAME exists and may not be overwritten, or NAME.part is not ours or in use.
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path, servers: tuple[str, ...], name: str, *, force: bool) -> None:
        self._path = path
        self._force = force
        self._check_free()
        self._part = path.with_name(f"{path.name}.part")
        self._resume_store = ResumeStore()
        self._key = ("get", ",".join(sorted(servers)), name, str(path.resolve()))
        self.position, self.etag = 0, ""
        self._sha256 = hashlib.sha256()
        saved_etag = self._resume_store.load(self._key)
        if saved_etag is None and os.path.lexists(self._part) and not force:
            raise ClientError(f"{self._part} is in the way: remove it, or give --force")
        self._file = self._open_locked()
        if saved_etag is not None:
            self._resume(saved_etag)

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
        self._resume_store.save(self._key, etag)

    def write(self, data: bytes) -> None:
        """See `Target.write`."""
        self._file.write(data)
        self._sha256.update(data)
        self.position += len(data)

    def sha256(self) -> str:
        """See `Target.sha256`."""
        return self._sha256.hexdigest()

    def discard(self) -> None:
        """Remove the file and what was saved to resume it."""
        self._part.unlink(missing_ok=True)
        self._resume_store.forget(self._key)

    def publish(self) -> None:
        """Rename the finished file to its name."""
        self._check_free()  # another program may have made it during the download
        self._file.flush()
        self._part.replace(self._path)
        self._resume_store.forget(self._key)
        self._file.close()

    def _check_free(self) -> None:
        if self._path.exists() and not self._path.is_file():
            raise ClientError(f"{self._path} is not a regular file: name a file with -o, or a directory with -O")
        if os.path.lexists(self._path) and not self._force:
            raise ClientError(f"{self._path} exists already: give --force to overwrite it, or another name with -o")

    def _open_locked(self) -> BinaryIO:
        # O_NOFOLLOW: a symbolic link made by somebody else would send the content elsewhere.
        file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.path.samestat(os.fstat(file.fileno()), self._part.lstat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:  # another process is writing it, or has just renamed it
            file.close()
            raise ClientError(f"{self._part} is being written: wait for the other download")
        return file

    def _resume(self, etag: str) -> None:
        self.etag = etag
        while block := self._file.read(BLOCK_BYTES):
            self._sha256.update(block)
            self.position += len(block)


class StandardOutput:
    """A stream. What was written to it cannot be taken back, so only the same version of a file can be continued."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self.position, self.etag = 0, ""

    def begin(self, etag: str) -> None:
        """See `Target.begin`.

        Raises:
            ClientError: bytes of another version have been written already.
        """
        if self.position:
            raise ClientError("the file was replaced during the download: discard the output, and get it again")
        self.etag = etag

    def write(self, data: bytes) -> None:
        """See `Target.write`."""
        self._stream.write(data)
        self._sha256.update(data)
        self.position += len(data)

    def sha256(self) -> str:
        """See `Target.sha256`."""
        return self._sha256.hexdigest()
