"""What somebody changed by hand in the resources that the docker provider reads, from `pulumi refresh --preview-only`.

The refresh asks the engines, and stores nothing. It finds what differs from the last `pulumi up` and would be put back
by `pulumi up --refresh`: a property that the program does not set is not compared.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from operations.stack import OBJECTS, pulumi

COMMAND = ("refresh", "--preview-only", "--json", "--non-interactive")

_VOLUME = "docker:index/volume:Volume"
_CHANGES = ("update", "delete")

_NOUNS = {
    "mode.replicated.replicas": "replicas",
    "taskSpec.containerSpec.commands": "the command",
    "taskSpec.containerSpec.image": "the image",
    "taskSpec.containerSpec.stopGracePeriod": "the stop grace period",
    "taskSpec.resources.limits.memoryBytes": "the memory limit",
    "taskSpec.resources.limits.nanoCpus": "the CPU limit",
    "taskSpec.resources.reservation.memoryBytes": "the reserved memory",
    "taskSpec.resources.reservation.nanoCpus": "the reserved CPU",
}
"""Words for properties. The others are named as in the provider's documentation."""

_COLLECTIONS = {
    "endpointSpec.ports": "published ports",
    "taskSpec.containerSpec.capAdds": "added capabilities",
    "taskSpec.containerSpec.env": "environment",
    "taskSpec.containerSpec.groups": "groups",
    "taskSpec.containerSpec.hosts": "host entries",
    "taskSpec.containerSpec.mounts": "mounts",
    "taskSpec.networksAdvanceds": "networks",
    "taskSpec.placement.constraints": "constraints",
}
"""Lists and maps whose members have names. Of the environment, only these are shown: a value may be secret."""

_NAMES = ("target", "publishedPort", "host", "id", "name")
"""The properties that can name a member, the first that it has."""

_MIB = 2**20
_NANOS = 1_000_000_000


def findings() -> Iterator[str]:
    """Yield one line for each change.

    Raises:
        OperationError: Pulumi cannot ask all engines.
    """
    yield from changes(json.loads(pulumi(*COMMAND)))


def changes(preview: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each change in the JSON document of a refresh."""
    steps = [step for step in preview.get("steps", []) if step["op"] in _CHANGES]
    for step in steps:
        old = step["oldState"]
        name = (old.get("outputs") or {}).get("name") or step["urn"].rpartition("::")[2]
        if step["op"] == "update":
            new = step["newState"].get("outputs") or {}
            for words in _differences(step.get("detailedDiff") or {}, old.get("outputs") or {}, new):
                yield f"{name}: {words}"
        elif old["type"] != _VOLUME:  # which is reported with the command that makes it anew
            yield f"{name}: the {OBJECTS.get(old['type'], old['type'])} was deleted"
    counted = sum(count for operation, count in preview.get("changeSummary", {}).items() if operation != "same")
    if counted > len(steps):
        yield f"{counted - len(steps)} more resources: `pulumi refresh --preview-only --diff` shows what was changed"


def _differences(paths: Iterable[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs, once for each scalar property, list or map."""
    for path in sorted({_whole(path) for path in paths}):
        before, after = _at(path, old), _at(path, new)
        members = list(_members(_by_name(before), _by_name(after))) if path in _COLLECTIONS else []
        noun = _NOUNS.get(path) or path.removeprefix("taskSpec.").removeprefix("containerSpec.")
        plural = noun.endswith("s")
        if members:
            yield from (f"{_COLLECTIONS[path]}: {member}" for member in members)
        elif _is_scalar(before) and _is_scalar(after) and before != after:
            verb = "are" if plural else "is"
            yield f"{noun} {verb} {_shown(path, after)} instead of {_shown(path, before)}"
        else:
            yield f"{noun} {'were' if plural else 'was'} changed"


def _whole(path: str) -> str:
    """Return the path of the list or map that the path leads into, or the path itself."""
    inner = path.partition("[")[0]
    return next((whole for whole in _COLLECTIONS if inner == whole or inner.startswith(f"{whole}.")), inner)


def _at(path: str, properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any property's value
    found: Any = properties
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _members(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"{name} was added"
        elif name not in after:
            yield f"{name} was removed"
        elif before[name] != after[name]:
            yield f"{name} was changed"


def _by_name(value: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return the members by their names, without what is empty: a refresh reads back some values that nobody set."""
    if isinstance(value, Mapping):
        return dict(value)
    return {_name(member): _filled(member) for member in value or []}


def _name(member: Any) -> str:  # noqa: ANN401 - as above
    if isinstance(member, Mapping):
        return str(next((member[key] for key in _NAMES if member.get(key)), member))
    return str(member)


def _filled(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        return {key: filled for key, item in value.items() if (filled := _filled(item))}
    return value


def _is_scalar(value: Any) -> bool:  # noqa: ANN401 - as above
    return value is None or isinstance(value, str | int | float)


def _shown(path: str, value: Any) -> str:  # noqa: ANN401 - as above
    if path.endswith("memoryBytes"):
        return f"{(value or 0) / _MIB:g} MiB"
    if path.endswith("nanoCpus"):
        return f"{(value or 0) / _NANOS:g}"
    return "nothing" if value in (None, "") else str(value)
