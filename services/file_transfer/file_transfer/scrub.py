"""Reads all bytes of all files, every copy of them, and compares digests: `python -m file_transfer.scrub`.

A copy that is damaged or missing is written again from one that is right. It runs beside a replica, with its settings,
and slowly enough to leave the disks to users. Nothing is changed but copies that differ from what was uploaded.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from file_transfer import backends, names, settings
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import Chunk, MissingChunkError, StorageFullError, StorageUnavailableError, blocks
from file_transfer.environment import SettingsError
from file_transfer.incoming import SMALL_BYTES
from file_transfer.index import contents
from file_transfer.index.database import UnsuitableSchemaError
from file_transfer.limits import Limits
from file_transfer.ranges import Range
from file_transfer.stored_file import StoredFile
from file_transfer.stores.seaweedfs import SeaweedFsStore

MIB = 2**20
_PAGE = 500
_RATE = 50


class DamagedError(Exception):
    """Files are damaged, and no right copy of them was found."""


class Throttle:
    """Keeps reading to a number of bytes a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self.bytes = 0

    def take(self, size: int) -> None:
        """Wait until this many more bytes may be read."""
        self.bytes += size
        time.sleep(max(self._began + self.bytes / self._rate - time.monotonic(), 0))


@dataclass
class _Look:
    """What was found in all copies of a file's chunks, with one server's copies before the others'."""

    sha256: str
    differing: list[tuple[Chunk, str, bytes, Sequence[str]]] = field(default_factory=list)
    """Chunks with a server whose copy counted, that copy's SHA-256, and the servers whose copies differ from it."""


def scrub(catalogue: Catalogue, throttle: Throttle) -> Iterator[str]:
    """Check every file, and yield a line for each that was or is damaged.

    Raises:
        DamagedError: no right copy of some files was found. The others have been checked all the same.
        StorageUnavailableError: the index or a volume server does not answer.
        StorageFullError: there is no space to write a copy again.
    """
    damaged = 0
    for file in _files(catalogue):
        problem = _check(catalogue, file, throttle)
        if problem:
            yield f"{names.printable(file.name)}: {problem}"
        damaged += problem.startswith("DAMAGED")
    if damaged:
        raise DamagedError(f"damaged files without a right copy: {damaged}; restore them from a backup")


def _files(catalogue: Catalogue) -> Iterator[StoredFile]:
    after = ""
    while page := catalogue.page("", after, _PAGE):
        for file in page:
            # A page has no contents of small files.
            found = catalogue.find(file.name) if file.size <= SMALL_BYTES else file
            if found:
                yield found
        after = page[-1].name


def _check(catalogue: Catalogue, file: StoredFile, throttle: Throttle) -> str:
    """Check one file, and mend it if that is possible. Return what was wrong, or "" if nothing was."""
    if file.data is not None or not isinstance(catalogue.store, SeaweedFsStore):
        return "" if _read(catalogue, file, throttle) == file.sha256 else _unless_replaced(catalogue, file)
    chunks, _ = catalogue.database.read(lambda found: contents.find_chunks(found, file.version, 0, file.size))
    store = catalogue.store
    look = _look(store, chunks, throttle, first=0)
    if look.sha256 != file.sha256 and look.differing:  # the other copies may be the right ones
        look = _look(store, chunks, throttle, first=1)
    if look.sha256 != file.sha256:
        return _unless_replaced(catalogue, file)
    # The bytes of a file that is removed stay for a while, so a copy that is written now is deleted with them.
    if not look.differing or not _is_current(catalogue, file):
        return ""
    for chunk, source, sha256, targets in look.differing:
        copies = store.read_copies(chunk)
        throttle.take(chunk.size * len(copies))
        content = copies.get(source)
        if content is None or hashlib.sha256(content).digest() != sha256:
            return "not repaired, since its copies have changed meanwhile: run the scrub again"
        for target in targets:
            store.write_copy(chunk.key, target, content)
    return f"copies repaired: {sum(len(targets) for *_, targets in look.differing)}"


def _look(store: SeaweedFsStore, chunks: Sequence[Chunk], throttle: Throttle, *, first: int) -> _Look:
    """Read every copy of the chunks. Of copies that differ, the one of the server with the number `first` counts."""
    digest = hashlib.sha256()
    look = _Look(sha256="")
    for chunk in chunks:
        copies = store.read_copies(chunk)
        throttle.take(chunk.size * len(copies))
        readable = sorted(server for server, content in copies.items() if content is not None)
        if not readable:
            continue  # so the digest will not be the file's
        source = readable[first % len(readable)]
        counted = copies[source] or b""
        digest.update(counted)
        if others := [server for server, content in copies.items() if content != counted]:
            look.differing.append((chunk, source, hashlib.sha256(counted).digest(), others))
    look.sha256 = digest.hexdigest()
    return look


def _read(catalogue: Catalogue, file: StoredFile, throttle: Throttle) -> str:
    """Return the digest of what a download would bring; "" if a part is gone."""
    if file.data is not None:
        throttle.take(len(file.data))
        return hashlib.sha256(file.data).hexdigest()
    digest = hashlib.sha256()
    try:
        content = catalogue.open(file, Range(0, file.size))
        for block in blocks(content):
            throttle.take(len(block))
            digest.update(block)
    except MissingChunkError:
        return ""
    return digest.hexdigest()


def _unless_replaced(catalogue: Catalogue, file: StoredFile) -> str:
    """Return that the file is damaged, unless it was replaced or removed while it was read."""
    return "DAMAGED: no right copy was found" if _is_current(catalogue, file) else ""


def _is_current(catalogue: Catalogue, file: StoredFile) -> bool:
    now = catalogue.find(file.name)
    return now is not None and now.version == file.version


def main() -> None:
    """Check all files with the settings of a replica. The exit status is 1 if some remain damaged."""
    parser = argparse.ArgumentParser(prog="file_transfer.scrub", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rate", type=float, default=_RATE, help="MiB a second to read at most, of all copies")
    rate = parser.parse_args().rate
    if not rate > 0:
        parser.error(f"--rate is {rate}: give a number of MiB a second that is larger than 0")
    throttle = Throttle(rate * MIB)
    try:
        configured = settings.load()
        database = backends.database(configured)
        try:
            catalogue = Catalogue(database, backends.store(configured), Limits(max_file=configured.max_file_bytes))
            for line in scrub(catalogue, throttle):
                print(line, flush=True)
        finally:
            database.close()
    except (SettingsError, UnsuitableSchemaError, StorageUnavailableError, StorageFullError, DamagedError) as error:
        sys.exit(f"scrub: {error}")
    print(f"every file is whole; {throttle.bytes / MIB:.0f} MiB were read")


if __name__ == "__main__":
    main()
