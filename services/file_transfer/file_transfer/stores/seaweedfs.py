"""A chunk store on SeaweedFS's volume servers, without its filer.

A key is a file id of SeaweedFS, which a master chooses: the number of a volume, a comma, the chunk's own number in hex.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar

from file_transfer.chunks import Chunk, Content, NextKey, StorageUnavailableError
from file_transfer.stores.incoming import CHUNK_BYTES, IncomingChunks, batch
from file_transfer.stores.ranges import ranges, read_ahead
from file_transfer.stores.resolver import Resolver
from file_transfer.stores.seaweedfs_client import Client
from file_transfer.stores.seaweedfs_copies import Copies
from file_transfer.stores.seaweedfs_credentials import Credentials
from file_transfer.stores.seaweedfs_health import Health
from file_transfer.stores.seaweedfs_keys import Keys
from file_transfer.stores.seaweedfs_locations import Locations
from file_transfer.stores.seaweedfs_masters import Masters

T = TypeVar("T")

_PATIENCE_SECONDS = 8
"""How long choosing keys and storing a chunk are tried before the upload fails; at least twice."""

_PATIENCE_IN_OUTAGE_SECONDS = 2
"""The same once the volume servers have been down for longer than that. Not zero: they may just be coming back."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 1
_THREADS = 32
_DELETING_THREADS = 4
"""Few, since a volume server reads the whole chunk into memory before it deletes it."""


class SeaweedFsStore:
    """A store with `copies` copies of each chunk, on different volume servers.

    Create it in the process that uses it: its threads do not survive a fork. A volume server that announces `node` as
    its public URL is preferred for reading. `volume_servers` are names that have the volume servers' addresses, for a
    process that starts while no master answers. With `fsync`, a chunk is on the disks of all copies before it is kept.
    The keys and PEM files are those of `Credentials`.

    The volume servers need `-readMode=local`: one without the chunk must say so at once, and not ask the others.
    """

    chunk_bytes = CHUNK_BYTES
    reader_grace = timedelta(minutes=15)

    def __init__(
        self,
        masters: Sequence[str],
        copies: int,
        node: str,
        *,
        write_key: str,
        read_key: str,
        identity: Path,
        authority: Path,
        volume_servers: Sequence[str] = (),
        fsync: bool = True,
    ) -> None:
        credentials = Credentials(write_key=write_key, read_key=read_key, identity=identity, authority=authority)
        client, resolver = Client(credentials.context()), Resolver()
        self._copies_of_each = copies
        leader = Masters(client, resolver, masters)
        self._locations = Locations(client, resolver, leader, volume_servers, node)
        self._copies = Copies(client, credentials, self._locations, copies, fsync=fsync)
        self._keys = Keys(leader, self._copies, copies)
        self._health = Health(client, leader, self._locations, copies)
        self._reading = ThreadPoolExecutor(_THREADS, thread_name_prefix="read")
        self._writing = ThreadPoolExecutor(_THREADS, thread_name_prefix="write")
        self._deleting = ThreadPoolExecutor(_DELETING_THREADS, thread_name_prefix="delete")

    def choose_keys(self, size: int | None) -> list[str]:
        """See `ChunkStore.choose_keys`."""
        return self._persist(lambda: self._keys.choose(batch(size)))

    def receive(self, next_key: NextKey) -> IncomingChunks:
        """See `ChunkStore.receive`."""
        return IncomingChunks(self._put, self._writing, next_key)

    def open(self, chunks: Sequence[Chunk], start: int, size: int) -> Content:
        """See `ChunkStore.open`."""
        return read_ahead(self._reading, self._copies.get, ranges(chunks, start, size))

    def delete(self, keys: Sequence[str]) -> None:
        """See `ChunkStore.delete`."""
        deleting = [self._deleting.submit(self._copies.delete, key) for key in keys]
        for failure in [future.exception() for future in deleting]:
            if failure:
                raise failure

    def read_copies(self, chunk: Chunk) -> dict[str, bytes | None]:
        """Return every copy of a chunk, by the server that has it; None is one that is damaged or missing.

        Raises:
            StorageUnavailableError: a server that should have one does not answer.
        """
        return self._copies.read_each(chunk)

    def write_copy(self, key: str, server: str, content: bytes) -> None:
        """Write one copy of a chunk again.

        Raises:
            StorageUnavailableError: the server did not store it.
            StorageFullError: its disk is full.
        """
        self._copies.write_again(key, server, content)

    def free_bytes(self) -> int | None:
        """See `ChunkStore.free_bytes`."""
        return self._health.free_bytes()

    def check(self) -> None:
        """See `ChunkStore.check`."""
        self._health.check()

    def check_writable(self) -> None:
        """See `ChunkStore.check_writable`."""
        self._health.check_writable()

    def _put(self, next_key: NextKey, content: bytearray) -> str:
        """Store a chunk and return its key. If that fails, try again elsewhere for some seconds."""
        attempts = itertools.count()

        def put() -> str:
            key = next_key(fresh=next(attempts) > 0)
            self._copies.put(key, content)
            return key

        return self._persist(put)

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Try until it works, for some seconds: the masters may be making new volumes, or a server restarts."""
        began, pause, failures = monotonic(), _FIRST_PAUSE_SECONDS, 0
        while True:
            try:
                return attempt()
            except StorageUnavailableError:
                failures += 1
                is_outage = self._locations.outage_seconds(self._copies_of_each) > _PATIENCE_SECONDS
                patience = _PATIENCE_IN_OUTAGE_SECONDS if is_outage else _PATIENCE_SECONDS
                if failures > 1 and monotonic() - began > patience:
                    raise
                self._keys.drop_spare()
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
