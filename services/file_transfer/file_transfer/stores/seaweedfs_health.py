"""Whether SeaweedFS's volume servers can be read and written at the moment, and how much space they have."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic

from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.stores.seaweedfs_client import Client
from file_transfer.stores.seaweedfs_locations import Locations
from file_transfer.stores.seaweedfs_masters import Masters, VolumesGrowError

_SECONDS = 1
_THREADS = 16
_OK = 200
_SPACE_KEPT_SECONDS = 10
_NEVER = float("-inf")


class Health:
    """Asks the servers themselves: the masters notice only after ten seconds and more that one is gone."""

    def __init__(self, client: Client, masters: Masters, locations: Locations, copies: int) -> None:
        self._client = client
        self._masters = masters
        self._locations = locations
        self._copies = copies
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="health")
        self._asking = threading.Lock()
        self._space: tuple[float, int | None] = (_NEVER, None)

    def check(self) -> None:
        """See `ChunkStore.check`."""
        reasons = []
        for server in self._locations.known():
            try:
                self._client.request("GET", server.address, "/healthz", seconds=_SECONDS)
            except StorageUnavailableError as error:
                reasons.append(str(error))
            else:
                return
        raise StorageUnavailableError("; ".join(reasons) or "no volume server of SeaweedFS is known")

    def check_writable(self) -> None:
        """See `ChunkStore.check_writable`."""
        # The masters are asked meanwhile, since this takes longer if one of them has just gone with its host.
        connecting = self._pool.submit(self._locations.connected)
        problems = self._problems(server.address for server in self._locations.known())
        self._need(problems)
        connected = {server.address for server in connecting.result()}
        self._need({address: problem for address, problem in problems.items() if address in connected})
        # An upload says itself that the disks are full, and waits for the new volumes that the masters make.
        with suppress(StorageFullError, VolumesGrowError):
            self._masters.assign(1, self._copies)

    def free_bytes(self) -> int | None:
        """Return how many bytes can be stored with all their copies, as of some seconds ago."""
        asked, _ = self._space
        # One thread asks at a time. The others use the old answer, if there is one.
        if monotonic() - asked > _SPACE_KEPT_SECONDS and self._asking.acquire(blocking=asked == _NEVER):
            try:
                self._space = monotonic(), self._ask_for_space()
            finally:
                self._asking.release()
        return self._space[1]

    def _problems(self, addresses: Iterable[str]) -> dict[str, str]:
        """Ask all these volume servers at once, and return what is wrong with each; nothing is an empty string."""
        asked = list(addresses)
        return dict(zip(asked, self._pool.map(self._problem, asked), strict=True))

    def _need(self, problems: Mapping[str, str]) -> None:
        usable = sum(not problem for problem in problems.values())
        if usable < self._copies:
            reasons = [problem for problem in problems.values() if problem]
            summary = f"only {usable} of the {self._copies} volume servers that a chunk needs are up"
            raise StorageUnavailableError("; ".join([summary, *reasons]))

    def _problem(self, address: str) -> str:
        """Return why nothing can be written to the volume server, or an empty string."""
        try:
            response = self._client.request("GET", address, "/healthz", seconds=_SECONDS)
        except StorageUnavailableError as error:
            return str(error)
        return "" if response.status == _OK else f"{address} is stopping or has no master"

    def _ask_for_space(self) -> int | None:
        try:
            addresses = [server.address for server in self._locations.connected()]
        except StorageUnavailableError:
            return None
        return space_for_copies(
            [free for free in self._pool.map(self._free, addresses) if free is not None], self._copies
        )

    def _free(self, address: str) -> int | None:
        try:
            response = self._client.request("GET", address, "/status", seconds=_SECONDS)
            return sum(int(disk["free"]) for disk in json.loads(response.body)["DiskStatuses"])
        except (StorageUnavailableError, ValueError, KeyError):
            return None


def space_for_copies(free: Sequence[int], copies: int) -> int | None:
    """Return how many bytes fit on servers with this much free space, if each byte is on `copies` of them.

    The servers with the most space hold a copy of everything at best; the other copies share what the others have. So
    for each number of such servers the others set a limit, and the lowest limit counts. None means too few servers.
    """
    if len(free) < copies:
        return None
    ascending = sorted(free)
    return min(sum(ascending[: len(free) - full]) // (copies - full) for full in range(copies))
