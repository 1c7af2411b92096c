"""Chooses the host of each kind of data: the one that already has its volumes, whatever the order of `hosts`.

When the program puts a volume on another host, Pulumi deletes the old one and creates an empty one. So the host must
not change unless the operator has moved the data.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from components import seaweedfs
from components.commands import HOLDS_LABEL
from components.probe import Probe

MONITORING = "monitoring"
FILES = "files"

_MONITORING_VOLUMES = frozenset({"alertmanager", "influxdb-containers", "influxdb-vms", "prometheus-data"})
_FILE_VOLUMES = {"cluster": frozenset({seaweedfs.GATEWAY}), "directory": frozenset({"files"})}
"""Keyed by `file_service.storage`. An external bucket has no volume here. Masters and volume servers are not listed
because they never move: each stays on its own host."""

_MOVING = '"Moving data" in docs/operations.md'


@dataclass(frozen=True, kw_only=True)
class Data:
    """One kind of data: its volumes, the setting that names its host, and the host named there, if any."""

    kind: str
    volumes: frozenset[str]
    setting: str
    chosen: str | None


def kinds(*, monitoring_host: str | None, storage: str, storage_host: str | None) -> list[Data]:
    """Return the kinds of data that live on a single host with these settings."""
    metrics = Data(kind=MONITORING, volumes=_MONITORING_VOLUMES, setting="monitoring.host", chosen=monitoring_host)
    if storage not in _FILE_VOLUMES:
        return [metrics]
    files = Data(kind=FILES, volumes=_FILE_VOLUMES[storage], setting="file_service.storage_host", chosen=storage_host)
    return [metrics, files]


def locate(data: Data, probes: Mapping[str, Probe], *, default: str) -> tuple[str, list[str]]:
    """Return the data's host and a list of problems, one line each.

    The host is the one that the setting names, else the one that has the data, else `default`. It is a problem if
    another host has a volume that the named host lacks, or if several hosts have data and the setting names none.
    """
    holders = {name: probe.volumes & data.volumes for name, probe in probes.items() if probe.volumes & data.volumes}
    if data.chosen is None:
        if len(holders) > 1:
            found = " and ".join(f'"{name}" ({_joined(volumes)})' for name, volumes in holders.items())
            return default, [f"{data.setting}: not set, and data is on {found}: set it to the host whose data to use"]
        return next(iter(holders), default), []
    present = holders.get(data.chosen, frozenset())
    return data.chosen, [
        f'{data.setting}: "{data.chosen}" lacks data that is on "{name}" ({_joined(volumes - present)}): '
        f'set it to "{name}" to keep the data there, or move the data first ({_MOVING}), '
        f'or remove these volumes on "{name}" if you do not need their data'
        for name, volumes in holders.items()
        if not volumes <= present
    ]


def left_behind(probes: Mapping[str, Probe]) -> list[str]:
    """Return one line for every swarm node whose label says that it holds data but whose host is not on the list."""
    nodes = {node for probe in probes.values() for node in probe.nodes if node.holds and node.host not in probes}
    return [
        f'hosts: "{node.host}" is not on the list and holds data ({_joined(node.holds)}): '
        f"put it back and move the data first ({_MOVING}), or, if you do not need the data, "
        f"run `docker node update --label-rm {HOLDS_LABEL} {node.id}` on a manager"
        for node in sorted(nodes, key=lambda node: node.host)
    ]


def _joined(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
