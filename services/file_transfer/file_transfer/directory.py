"""Files in a directory that all replicas see.

objects/KEY      content: written once, never changed
names/NAME       which object the name stands for, its size and digest (JSON): replaced in one step
incoming/KEY     on its way in
locks/NN         held while a name changes hands, so that no object is forgotten
"""

import errno
import fcntl
import hashlib
import json
import os
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from file_transfer.storage import StorageFullError, StoredFile, UnknownFileError

_LEFTOVER_SECONDS = 24 * 3600
_LOCKS = 64
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DirectoryStorage:
    """Storage in `root`, on one file system that knows atomic renames and locks."""

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._names = root / "names"
        self._incoming = root / "incoming"
        self._locks = root / "locks"
        for folder in (self._objects, self._names, self._incoming, self._locks):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def receive(self) -> Iterator["_IncomingFile"]:
        """See `Storage.receive`."""
        key = uuid.uuid4().hex
        path = self._incoming / key
        try:
            with _full_disk_named(), path.open("xb", buffering=0) as file:
                yield _IncomingFile(self, key, path, file)
        finally:
            path.unlink(missing_ok=True)

    def open(self, name: str) -> tuple[StoredFile, BinaryIO]:
        """See `Storage.open`."""
        gone = None
        while True:
            stored, key = self._look_up(name)
            try:
                return stored, (self._objects / key).open("rb", buffering=0)
            except FileNotFoundError:
                if key == gone:
                    raise  # somebody took it away by hand
                gone = key  # replaced between the two steps: look again

    def files(self) -> Iterator[StoredFile]:
        """See `Storage.files`."""
        for name in sorted(entry.name for entry in os.scandir(self._names)):
            try:
                yield self._look_up(name)[0]
            except UnknownFileError:
                continue  # gone since the listing

    def is_ready(self) -> bool:
        """Whether the directory is there and may be written to."""
        return os.access(self._incoming, os.W_OK) and os.access(self._names, os.W_OK)

    def sweep(self) -> int:
        """Take away what killed processes left more than a day ago; returns how many."""
        named = {self._look_up(entry.name)[1] for entry in os.scandir(self._names)}
        oldest = time.time() - _LEFTOVER_SECONDS
        swept = 0
        for folder in (self._incoming, self._objects):
            for entry in os.scandir(folder):
                if entry.name not in named and entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink(missing_ok=True)
                    swept += 1
        return swept

    def publish(self, key: str, stored: StoredFile) -> None:
        """Let the name stand for the received object, which is complete on disk; drop the one it stood for."""
        (self._incoming / key).rename(self._objects / key)
        _sync(self._objects)
        manifest = self._incoming / f"{key}.json"
        description = {
            "key": key,
            "size": stored.size,
            "sha256": stored.sha256,
            "modified": stored.modified.isoformat(),
        }
        try:
            with manifest.open("x") as file:
                json.dump(description, file)
                file.flush()
                os.fsync(file.fileno())
            with self._locked(stored.name):
                before = self._key(stored.name)
                manifest.rename(self._names / stored.name)
        except BaseException:
            manifest.unlink(missing_ok=True)
            (self._objects / key).unlink(missing_ok=True)
            raise
        # The name stands for the object now: nothing that fails from here on may take it away.
        _sync(self._names)
        if before:
            (self._objects / before).unlink(missing_ok=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self._locks / str(zlib.crc32(name.encode()) % _LOCKS)).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _key(self, name: str) -> str | None:
        try:
            return self._look_up(name)[1]
        except UnknownFileError:
            return None

    def _look_up(self, name: str) -> tuple[StoredFile, str]:
        try:
            manifest = json.loads((self._names / name).read_text())
        except FileNotFoundError:
            raise UnknownFileError(name) from None
        stored = StoredFile(
            name=name,
            size=manifest["size"],
            sha256=manifest["sha256"],
            modified=datetime.fromisoformat(manifest["modified"]),
        )
        return stored, manifest["key"]


class _IncomingFile:
    """A file on its way into a directory."""

    def __init__(self, storage: DirectoryStorage, key: str, path: Path, file: BinaryIO) -> None:
        self._storage = storage
        self._key = key
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        """See `Incoming.write`."""
        rest = memoryview(data)
        with _full_disk_named():
            while rest:
                rest = rest[self._file.write(rest) :]
        self._digest.update(data)
        self._size += len(data)

    def publish(self, name: str) -> StoredFile:
        """See `Incoming.publish`."""
        stored = StoredFile(name=name, size=self._size, sha256=self._digest.hexdigest(), modified=datetime.now(UTC))
        with _full_disk_named():
            os.fsync(self._file.fileno())
            self._storage.publish(self._key, stored)
        return stored


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except StorageFullError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(error.errno, "there is no room for the file") from error
        raise


def _sync(folder: Path) -> None:
    """Make a rename in the folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
