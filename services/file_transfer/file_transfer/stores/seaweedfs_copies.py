"""The copies of single chunks on SeaweedFS's volume servers.

Each copy is written and deleted by a request of its own, which says that it is a copy (`type=replicate`). If one volume
server were asked to pass it on, it would do so when its own copy is on disk: an upload would wait for one disk after
the other. And it passes on no deletion of what it has deleted before, so a copy that was missed then would stay.
"""

import errno
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from file_transfer import metrics
from file_transfer.chunks import Chunk, MissingChunkError, StorageFullError, StorageUnavailableError
from file_transfer.stores.budget import Budget
from file_transfer.stores.ranges import ChunkRange
from file_transfer.stores.seaweedfs_client import Client, Response
from file_transfer.stores.seaweedfs_credentials import Credentials
from file_transfer.stores.seaweedfs_locations import Locations
from file_transfer.stores.seaweedfs_masters import VolumeServer

_PUT_SECONDS = 15
"""Longer than the others: while a disk writes much else, a chunk can wait for it for some seconds."""

_GET_SECONDS = 4
_DELETE_SECONDS = 5
_RECENT_SECONDS = 5
"""How old the knowledge of a volume's copies may be when one is written or deleted."""

_SENT_BYTES = 4 * 1024 * 1024
"""What one process sends to each volume server at the same time. The server needs four times as much memory for it, and
has no limit of its own for requests that say `type=replicate`."""

_READ_BYTES = 8 * 1024 * 1024
"""What one process reads at the same time. More would only wait at the volume servers, until they count as down."""

_THREADS = 32
_WRITTEN = (200, 201, 204)
_DELETED = (202, 404)
_OTHER_CHUNK = b"Cookie does not match"
"""A master that was restarted assigns numbers again under which nothing had been stored yet. The end of the key, which
SeaweedFS calls its cookie, then differs, so the key has no chunk."""
_NOT_FOUND = 404
_OK = 200
_UNREADABLE = 500
"""The answer of a volume server that found a wrong checksum, or whose disk failed. It may have no text."""

_LOG = logging.getLogger("gunicorn.error")


class Copies:
    """Writes, reads and deletes chunks that have `copies` copies each."""

    def __init__(
        self, client: Client, credentials: Credentials, locations: Locations, copies: int, *, fsync: bool
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._locations = locations
        self._copies = copies
        self._options = "type=replicate&fsync=true" if fsync else "type=replicate"
        self._sending, self._reading = Budget(_SENT_BYTES), Budget(_READ_BYTES)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="copy")

    def servers(self, key: str) -> list[VolumeServer]:
        """Return the servers of all copies.

        Raises:
            StorageUnavailableError: there are too few, or one does not answer.
        """
        servers = self._locations.recent(_volume(key), _RECENT_SECONDS)
        if len(servers) < self._copies:
            raise StorageUnavailableError(
                f"volume {_volume(key)} of SeaweedFS is on {len(servers)} connected volume servers, not {self._copies}"
            )
        for server in servers:
            if self._client.is_still_down(server.address):
                self._locations.doubt(_volume(key))  # it may have a new address
                raise StorageUnavailableError(f"the volume server {server.address} does not answer")
        return servers

    def put(self, key: str, content: bytearray) -> None:
        """Write all copies at once, and return when they are on the disks."""
        with self._sending.taken(len(content)), metrics.storage("put"):
            first, *others = self.servers(key)
            writing = [self._pool.submit(self._put, server, key, content) for server in others]
            try:
                self._put(first, key, content)
            finally:
                failures = [future.exception() for future in writing]
        for failure in failures:
            if failure:
                raise failure

    def get(self, wanted: ChunkRange) -> bytes:
        """Read from the best server, or from any other if that fails.

        The whole chunk is read, since a volume server compares its checksum only then. It would send a part of a
        damaged copy as it is.

        Raises:
            MissingChunkError: as many servers as there should be copies have no such chunk, and none failed.
            StorageUnavailableError: it cannot be read at the moment.
        """
        volume = _volume(wanted.chunk.key)
        tried: dict[str, StorageUnavailableError | MissingChunkError] = {}
        for find in (self._locations.likely, self._elsewhere):
            for server in find(volume):
                if server.address in tried:
                    continue
                try:
                    with self._reading.taken(wanted.chunk.size), metrics.storage("get"):
                        return self._get(server, wanted)
                except (StorageUnavailableError, MissingChunkError) as error:
                    tried[server.address] = error
                    self._locations.doubt(volume)
        reasons = "; ".join(map(str, tried.values()))
        if len(tried) >= self._copies and all(isinstance(error, MissingChunkError) for error in tried.values()):
            raise MissingChunkError(reasons)
        raise StorageUnavailableError(
            f"chunk {wanted.chunk.key} cannot be read: {reasons or 'no volume server is known'}"
        )

    def read_each(self, chunk: Chunk) -> dict[str, bytes | None]:
        """See `SeaweedFsStore.read_copies`."""
        found: dict[str, bytes | None] = {}
        for server in self.servers(chunk.key):
            response = self._request_content(server, chunk.key)
            is_whole = response.status == _OK and len(response.body) == chunk.size
            found[server.address] = response.body if is_whole else None
        return found

    def write_again(self, key: str, server: str, content: bytes) -> None:
        """See `SeaweedFsStore.write_copy`."""
        with self._sending.taken(len(content)):
            self._put(VolumeServer(server, node=""), key, bytearray(content))

    def delete(self, key: str) -> None:
        """Delete all copies. A copy that is not there is fine.

        Raises:
            StorageUnavailableError: one could not be deleted, or may be on a server that is not connected.
        """
        volume = _volume(key)
        if not self._locations.recent(volume, _RECENT_SECONDS) and len(self._locations.connected()) >= self._copies:
            return  # SeaweedFS deletes volumes that have been empty for long
        with metrics.storage("delete"):
            for server in self.servers(key):
                response = self._client.request(
                    "DELETE",
                    server.address,
                    f"/{key}?type=replicate",
                    headers=self._credentials.to_write(key),
                    seconds=_DELETE_SECONDS,
                )
                if response.status not in _DELETED and _OTHER_CHUNK not in response.body:
                    raise StorageUnavailableError(f"{server.address} cannot delete {key}: {response.error()}")

    def _put(self, server: VolumeServer, key: str, content: bytearray) -> None:
        response = self._client.request(
            "PUT",
            server.address,
            f"/{key}?{self._options}",
            body=content,
            headers=self._credentials.to_write(key),
            seconds=_PUT_SECONDS,
        )
        if response.status in _WRITTEN:
            return
        if b"no space left" in response.body:
            raise StorageFullError(errno.ENOSPC, f"the disk of the volume server {server.address} is full")
        raise StorageUnavailableError(f"{server.address} cannot store {key}: {response.error()}")

    def _request_content(self, server: VolumeServer, key: str) -> Response:
        # A volume server with too many downloads would redirect us to another, unless somebody has done so already.
        return self._client.request(
            "GET",
            server.address,
            f"/{key}?proxied=true",
            headers=self._credentials.to_read(key),
            seconds=_GET_SECONDS,
        )

    def _get(self, server: VolumeServer, wanted: ChunkRange) -> bytes:
        key = wanted.chunk.key
        response = self._request_content(server, key)
        if response.status == _NOT_FOUND:
            raise MissingChunkError(f"{server.address} has no chunk {key}")
        if response.status == _UNREADABLE:
            metrics.UNREADABLE_COPIES.inc()
            _LOG.warning(
                "the volume server %s of node %s cannot read its copy of chunk %s: %s",
                server.address,
                server.node,
                key,
                response.error(),
            )
        if response.status != _OK or len(response.body) != wanted.chunk.size:
            raise StorageUnavailableError(f"{server.address} cannot read {key}: {response.error()}")
        return response.body[wanted.start : wanted.end]

    def _elsewhere(self, volume: str) -> list[VolumeServer]:
        """Return the servers that have the volume now, and then all others."""
        servers: list[VolumeServer] = []
        with suppress(StorageUnavailableError):
            servers = self._locations.ask(volume)
        return [*servers, *self._locations.known()]


def _volume(key: str) -> str:
    return key.partition(",")[0]
