"""Chooses the hosts of each kind of data: those that already have its volumes, whatever the order of `hosts`.

When the program puts a volume on another host, Pulumi deletes the old one and creates an empty one. So the host must
not change unless the operator has moved the data.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from .commands import HOLDS_LABEL
from .probe import Probe

MONITORING = "monitoring"
FILES = "files"
INDEX = "index"

_COPIED = frozenset({INDEX})
_MOVING = "docs/operations/data.md"


@dataclass(frozen=True, kw_only=True)
class Data:
    """One kind of data on one host: its volumes, the setting that names the host, and the host named there, if any.

    `default` is the host of new data. Volume servers, the object store's masters and etcd's members are not listed
    anywhere: each stays on its own host or gets its data from the others.
    """

    kind: str
    volumes: frozenset[str]
    setting: str
    chosen: str | None
    default: str


@dataclass(frozen=True, kw_only=True)
class CopiedData:
    """One kind of data with a copy on each of several hosts. `volume` returns the name of a host's volume with it.

    `default` are the hosts of new data, and `chosen` those that the setting names, if it is set.
    """

    kind: str
    volume: Callable[[str], str]
    setting: str
    chosen: Sequence[str] | None
    default: Sequence[str]


def locate(data: Data | CopiedData, probes: Mapping[str, Probe]) -> tuple[list[str], list[str]]:
    """Return the names of the data's hosts and a list of problems, one line each."""
    if isinstance(data, CopiedData):
        return _locate_copies(data, probes)
    host, problems = _locate(data, probes)
    return [host], problems


def left_behind(probes: Mapping[str, Probe], *, gone: Collection[str] = ()) -> list[str]:
    """Return one line for every swarm node whose label says that it holds data but whose host is not on the list.

    Data that another host has a copy of does not count, nor that of a host which is `gone`.
    """
    nodes = {node for probe in probes.values() for node in probe.nodes}
    kept = {kind for node in nodes if node.host in probes for kind in node.holds & _COPIED}
    return [
        f'hosts: "{node.host}" is not on the list and holds data ({_joined(node.holds - kept)}): '
        f"put it back and move the data first ({_MOVING}), or, if you do not need the data, "
        f"run `docker node update --label-rm {HOLDS_LABEL} {node.id}` on a manager"
        for node in sorted(nodes, key=lambda node: node.host)
        if node.host not in probes and node.host not in gone and node.holds - kept
    ]


def left_in_another_storage(storage: str, probes: Mapping[str, Probe], *, stack: str) -> list[str]:
    """Return one line if the stack's nodes say that the files are stored elsewhere than in `storage`."""
    found = {probe.storage for probe in probes.values() if probe.stack == stack} - {storage, ""}
    return [
        f'file_service.storage: the files are in "{other}", and "{storage}" would begin without them: '
        f"set it back, or move the files ({_MOVING}#change-the-storage)"
        for other in sorted(found)
    ]


def _locate(data: Data, probes: Mapping[str, Probe]) -> tuple[str, list[str]]:
    """Return the host that the setting names, else the one that has the data, else the default, and problems.

    It is a problem if another host has a volume that the named host lacks, or if several hosts have data and the
    setting names none.
    """
    holders = {name: probe.volumes & data.volumes for name, probe in probes.items() if probe.volumes & data.volumes}
    if data.chosen is None:
        if len(holders) > 1:
            found = " and ".join(f'"{name}" ({_joined(volumes)})' for name, volumes in holders.items())
            return data.default, [
                f"{data.setting}: not set, and data is on {found}: set it to the host whose data to use"
            ]
        return next(iter(holders), data.default), []
    present = holders.get(data.chosen, frozenset())
    return data.chosen, [
        f'{data.setting}: "{data.chosen}" lacks data that is on "{name}" ({_joined(volumes - present)}): '
        f'set it to "{name}" to keep the data there, or move the data first ({_MOVING}), '
        f'or remove these volumes on "{name}" if you do not need their data'
        for name, volumes in holders.items()
        if not volumes <= present
    ]


def _locate_copies(data: CopiedData, probes: Mapping[str, Probe]) -> tuple[list[str], list[str]]:
    """Return the hosts that the setting names, else those that have copies, with others up to the default number.

    New hosts get their copy from the others, so it is a problem if none of the named hosts has one but another does.
    """
    holders = [name for name, probe in probes.items() if data.volume(name) in probe.volumes]
    if data.chosen is None:
        others = [name for name in data.default if name not in holders]
        return sorted([*holders, *others[: max(0, len(data.default) - len(holders))]]), []
    if not holders or set(holders) & set(data.chosen):
        return sorted(data.chosen), []
    volumes = _joined([data.volume(name) for name in holders])
    problem = (
        f'{data.setting}: "{_joined(data.chosen)}" lacks data that is on "{_joined(holders)}" ({volumes}): '
        "name such a host, too, until the next `pulumi up` has copied the data, "
        "or remove these volumes there if you do not need their data"
    )
    return sorted(data.chosen), [problem]


def _joined(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
