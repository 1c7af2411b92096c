"""Requests to SeaweedFS's masters, which know the volume servers and choose where a chunk is stored."""

import errno
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from file_transfer import metrics
from file_transfer.chunks import StorageFullError, StorageUnavailableError
from file_transfer.stores.resolver import Resolver
from file_transfer.stores.seaweedfs_client import Client

_SECONDS = 2
_OK = 200
_NOT_FOUND = 404
_NOT_ACCEPTABLE = 406


class VolumesGrowError(StorageUnavailableError):
    """There is no volume with space, but the masters are making new ones: choosing a key again soon works."""


@dataclass(frozen=True)
class VolumeServer:
    """A volume server; `node` is what it announces as its public URL: its Swarm node's id."""

    address: str
    node: str


class Masters:
    """The masters with these names, `HOST:PORT` each. Every one of them forwards requests to their leader."""

    def __init__(self, client: Client, resolver: Resolver, names: Sequence[str]) -> None:
        self._client = client
        self._resolver = resolver
        self._names = names

    def assign(self, count: int, copies: int) -> str:
        """Return the first of `count` new keys in a volume with this many copies.

        Raises:
            StorageFullError: all volumes are full and the volume servers have no space for more.
            VolumesGrowError: there is no such volume yet.
            StorageUnavailableError: there is no such volume at the moment.
        """
        with metrics.storage("assign"):
            status, answer = self._ask(f"/dir/assign?count={count}&replication=00{copies - 1}")
        if status == _OK and "fid" in answer:
            return str(answer["fid"])
        reason = str(answer.get("error", f"HTTP {status}"))
        # A master without a leader says the same as one whose volume servers are full, but it knows no volume servers.
        if status == _NOT_ACCEPTABLE and "no free volumes" in reason and len(self.servers()) >= copies:
            raise StorageFullError(errno.ENOSPC, f"SeaweedFS has no space left: {reason}")
        error = VolumesGrowError if "volume growth in progress" in reason else StorageUnavailableError
        raise error(f"SeaweedFS has no place for a chunk: {reason}")

    def servers(self) -> list[VolumeServer]:
        """Return the volume servers that are connected to the leader."""
        _, answer = self._ask("/dir/status")
        return [
            VolumeServer(node["Url"], node["PublicUrl"])
            for data_center in answer.get("Topology", {}).get("DataCenters") or ()
            for rack in data_center.get("Racks") or ()
            for node in rack.get("DataNodes") or ()
        ]

    def copies(self, volume: str) -> list[VolumeServer]:
        """Return the connected volume servers that have this volume; none if it is unknown."""
        with metrics.storage("lookup"):
            status, answer = self._ask(f"/dir/lookup?volumeId={volume}")
        if status not in (_OK, _NOT_FOUND):
            raise StorageUnavailableError(f"SeaweedFS does not say where volume {volume} is: HTTP {status}")
        return [VolumeServer(found["url"], found["publicUrl"]) for found in answer.get("locations") or ()]

    def are_down(self) -> bool:
        """Return whether none of them has answered lately, so that asking again would only cost time."""
        addresses = self._addresses()
        return all(self._client.is_down(address) for address in addresses)

    def _ask(self, path: str) -> tuple[int, dict[str, Any]]:
        reasons = []
        for address in sorted(self._addresses(), key=self._client.is_down):
            try:
                response = self._client.request("GET", address, path, seconds=_SECONDS, master=True)
                return response.status, json.loads(response.body)
            except StorageUnavailableError as error:
                reasons.append(str(error))
            except ValueError:  # no JSON: the leader does not answer the master that was asked
                reasons.append(f"{address} says: {response.error()}")
        raise StorageUnavailableError(
            f"no SeaweedFS master answers: {'; '.join(reasons) or f'{self._names} have no address'}"
        )

    def _addresses(self) -> list[str]:
        return [address for name in self._names for address in self._resolver.addresses(name)]
