"""Which host holds the data: the one that has its volumes, whatever the order of `hosts`.

A volume is made on one host, and deleted when the program wants it on another: a host that was chosen anew would begin
with an empty one.
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
"""By `file_service.storage`: a bucket elsewhere has no volume, and masters and volume servers keep theirs."""

_MOVING = '"Moving data" in docs/operations.md'


@dataclass(frozen=True, kw_only=True)
class Data:
    """One kind of data: the volumes that hold it, the setting that names its host, and the host named there, if any."""

    kind: str
    volumes: frozenset[str]
    setting: str
    wanted: str | None


def kinds(*, monitoring_host: str | None, storage: str, storage_host: str | None) -> list[Data]:
    """The kinds of data that the settings keep on one host each."""
    metrics = Data(kind=MONITORING, volumes=_MONITORING_VOLUMES, setting="monitoring.host", wanted=monitoring_host)
    if storage not in _FILE_VOLUMES:
        return [metrics]
    files = Data(kind=FILES, volumes=_FILE_VOLUMES[storage], setting="file_service.storage_host", wanted=storage_host)
    return [metrics, files]


def locate(data: Data, probes: Mapping[str, Probe], *, default: str) -> tuple[str, list[str]]:
    """The host of the data: the one named, else the one that has it, else the default.

    A problem is a volume that this host lacks and another one has, or two hosts that have data and none named.
    """
    holders = {name: probe.volumes & data.volumes for name, probe in probes.items() if probe.volumes & data.volumes}
    if data.wanted is None:
        if len(holders) > 1:
            found = " and ".join(f'"{name}" ({_listed(volumes)})' for name, volumes in holders.items())
            return default, [
                f"{data.setting}: not set, and data is on {found}: set it to the host whose data is to be used"
            ]
        return next(iter(holders), default), []
    present = holders.get(data.wanted, frozenset())
    return data.wanted, [
        f'{data.setting}: "{data.wanted}" lacks data that is on "{name}" ({_listed(volumes - present)}): '
        f'set it to "{name}" to keep the data there, or move the data first ({_MOVING}), '
        f'or remove these volumes on "{name}" if their data is not wanted'
        for name, volumes in holders.items()
        if not volumes <= present
    ]


def left_behind(probes: Mapping[str, Probe]) -> list[str]:
    """One line for every node of the swarm whose label says that it holds data, and whose host is not on the list."""
    nodes = {node for probe in probes.values() for node in probe.nodes if node.holds and node.host not in probes}
    return [
        f'hosts: "{node.host}" is not on the list and holds data ({_listed(node.holds)}): '
        f"put it back, and move the data first ({_MOVING}), or, if the data is not wanted, "
        f"run `docker node update --label-rm {HOLDS_LABEL} {node.id}` on a manager"
        for node in sorted(nodes, key=lambda node: node.host)
    ]


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
