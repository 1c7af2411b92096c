"""Where the volumes are, as far as is known. This knowledge is kept while no master answers."""

import random
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic

from file_transfer.chunks import StorageUnavailableError
from file_transfer.stores.resolver import Resolver
from file_transfer.stores.seaweedfs_client import Client
from file_transfer.stores.seaweedfs_masters import Masters, VolumeServer

_TRUSTED_SECONDS = 60
"""How long reads use what a master has said without asking again, unless it turns out to be wrong."""

_REMEMBERED_SECONDS = 600
"""How long a volume server is remembered that is no longer connected to the masters."""


class Locations:
    """The volume servers and which volumes they have. `node` is this replica's own: reads prefer its server.

    `names` are names of the volume servers, `HOST:PORT` with any number of addresses each. Only a process that starts
    while no master answers needs them: the others know the volume servers from before.
    """

    def __init__(self, client: Client, resolver: Resolver, masters: Masters, names: Sequence[str], node: str) -> None:
        self._client = client
        self._resolver = resolver
        self._masters = masters
        self._names = names
        self._node = node
        self._lock = threading.Lock()
        self._volumes: dict[str, tuple[float, list[VolumeServer]]] = {}
        self._servers: dict[str, tuple[float, VolumeServer]] = {}  # the last one of each node, and when it was seen

    def connected(self) -> list[VolumeServer]:
        """Ask the masters for the volume servers that are connected to them."""
        servers = self._masters.servers()
        self._remember(servers)
        if servers:  # a master that has just started knows none
            self._forget_old_ones()
        return servers

    def known(self) -> list[VolumeServer]:
        """Return all volume servers that may be there, without asking the masters if any is known."""
        if not self._servers:
            with suppress(StorageUnavailableError):
                self.connected()
        with self._lock:
            servers = [server for _, server in self._servers.values()]
        addresses = {address for name in self._names for address in self._resolver.addresses(name)}
        addresses -= {server.address for server in servers}
        return self._best_first([*servers, *(VolumeServer(address, node="") for address in addresses)])

    def ask(self, volume: str) -> list[VolumeServer]:
        """Ask the masters for the servers of a volume; none are returned if it is unknown."""
        servers = self._masters.copies(volume)
        self._remember(servers)
        if servers:
            self._volumes[volume] = monotonic(), servers
        return self._best_first(servers)

    def recent(self, volume: str, seconds: float) -> list[VolumeServer]:
        """Return the servers of a volume, which a master has said at most `seconds` ago."""
        asked, servers = self._volumes.get(volume, (float("-inf"), []))
        return self._best_first(servers) if monotonic() - asked < seconds else self.ask(volume)

    def likely(self, volume: str) -> list[VolumeServer]:
        """Return the servers that may have the volume. If the masters are down, old knowledge has to do."""
        if not self._masters.are_down():
            with suppress(StorageUnavailableError):
                if found := self.recent(volume, _TRUSTED_SECONDS):
                    return found
        _, servers = self._volumes.get(volume, (0, []))
        return self._best_first(servers) or self.known()

    def doubt(self, volume: str) -> None:
        """Ask the masters again before the next use, since a server did not have the volume or did not answer."""
        _, servers = self._volumes.get(volume, (0, []))
        self._volumes[volume] = float("-inf"), servers

    def outage_seconds(self, copies: int) -> float:
        """Return for how long fewer than `copies` volume servers have been up; 0 if they are."""
        with self._lock:
            addresses = [server.address for _, server in self._servers.values()]
        down = [seconds for address in addresses if (seconds := self._client.down_seconds(address)) is not None]
        may_be_down = max(len(addresses) - copies, 0)
        return sorted(down, reverse=True)[may_be_down] if len(down) > may_be_down else 0

    def _remember(self, servers: Iterable[VolumeServer]) -> None:
        with self._lock:
            self._servers.update((server.node, (monotonic(), server)) for server in servers)

    def _forget_old_ones(self) -> None:
        with self._lock:
            long_ago = monotonic() - _REMEMBERED_SECONDS
            self._servers = {node: seen for node, seen in self._servers.items() if seen[0] > long_ago}

    def _best_first(self, servers: Iterable[VolumeServer]) -> list[VolumeServer]:
        """Sort the servers for reading: those that answer first, of these this node's own, and the others at random."""
        return sorted(
            servers,
            key=lambda server: (self._client.is_down(server.address), server.node != self._node, random.random()),  # noqa: S311 - spreads load, no secret
        )
