"""What a change of a program would do to a resource, property by property, as Pulumi's Terraform bridge tells it."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.provider import PropertyDiffKind

from lab.plugins.codecs import Codec
from lab.plugins.shape import Field, Many, Shape, Unordered
from lab.plugins.values import UNKNOWN

Values = Mapping[str, Any]
Details = dict[str, PropertyDiffKind]

_HIDDEN = "__meta"
"""Where the bridge reports a replacement whose cause its paths do not show."""


def planned(shape: Shape, inputs: Values, before: Values, ignored: Iterable[str] = ()) -> dict[str, Any]:
    """All properties as they will be: the inputs, and of the rest what the state has and the program may leave out."""
    plan = {key: _planned(known, inputs.get(key), before.get(key)) for key, known in shape.fields.items()}
    for path in ignored:
        _keep(plan, before, path.split("."))
    return plan


def _keep(plan: dict[str, Any], before: Values, path: Sequence[str]) -> None:
    key, *rest = path
    if not rest:
        plan[key] = before.get(key)
    elif isinstance(plan.get(key), dict) and isinstance(before.get(key), Mapping):
        _keep(plan[key], before[key], rest)


def _planned(known: Field, given: Any, before: Any) -> Any:  # noqa: ANN401 - any property's values
    codec = known.codec
    if given is None:
        if known.computed or known.output or not before or before == known.empty:
            return before
        return {} if isinstance(before, Mapping) and not isinstance(codec, Shape) else None
    if isinstance(codec, Shape) and isinstance(given, Mapping):
        return planned(codec, given, before or {})
    if isinstance(codec, Many) and isinstance(codec.item, Shape) and isinstance(given, list):
        # A member of a set has no earlier self.
        old = [] if isinstance(codec, Unordered) else before or []
        return [
            planned(codec.item, item, old[index] if index < len(old) else {}) if isinstance(item, Mapping) else item
            for index, item in enumerate(given)
        ]
    return given


def differences(shape: Shape, before: Values, plan: Values) -> Details:
    """Paths of the properties that change, and how."""
    details: Details = {}
    for key, known in shape.fields.items():
        details |= _compare(known.codec, key, before.get(key), plan.get(key), forced=known.replaces)
    hidden = details.pop(_HIDDEN, None)
    if hidden and not any(replaces(kind) for kind in details.values()):
        details[_HIDDEN] = hidden
    return details


def replaces(kind: PropertyDiffKind) -> bool:
    """Whether the change takes a new resource."""
    return kind.name.endswith("_REPLACE")


def _compare(codec: Codec, path: str, old: Any, new: Any, *, forced: bool) -> Details:  # noqa: ANN401 - as above
    old, new = (None if value == [] else value for value in (old, new))
    if old is None and new is None:
        return {}
    if old is None or new is None or new is UNKNOWN:
        verb = "ADD" if old is None else "DELETE" if new is None else "UPDATE"
        return {path: _kind(verb, forced=forced or _forces(codec, old if new is None else new))}
    if isinstance(codec, Shape):
        found: Details = {}
        for key, known in codec.fields.items():
            found |= _compare(known.codec, f"{path}.{key}", old.get(key), new.get(key), forced=known.replaces)
        return found
    if isinstance(codec, Unordered):
        return _compare_sets(codec, path, old, new, forced=forced)
    if isinstance(codec, Many):
        return _compare_members(codec, path, old, new, forced=forced)
    if isinstance(new, list):
        return _compare_lists(path, old, new, forced=forced)
    if isinstance(new, Mapping):
        found = {}
        for key in sorted(old.keys() | new.keys()):
            found |= _compare(Codec(), f"{path}.{key}", old.get(key), new.get(key), forced=forced)
        return found
    return {path: _kind("UPDATE", forced=forced)} if old != new else {}


def _compare_lists(path: str, old: Sequence[Any], new: Sequence[Any], *, forced: bool) -> Details:
    """The lines that an editor would change; the list as a whole while a member is unknown."""
    if UNKNOWN in new:
        return {path: _kind("UPDATE", forced=forced)}
    gone: set[int] = set()
    come: set[int] = set()
    for verb, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if verb != "equal":
            gone |= set(range(old_from, old_to))
            come |= set(range(new_from, new_to))
    verbs = {index: "UPDATE" if index in gone & come else "DELETE" if index in gone else "ADD" for index in gone | come}
    return {f"{path}[{index}]": _kind(verb, forced=forced) for index, verb in sorted(verbs.items())}


def _compare_sets(codec: Unordered, path: str, old: list[Any], new: list[Any], *, forced: bool) -> Details:
    if UNKNOWN in new:
        return {path: _kind("UPDATE", forced=forced)}
    before, after = [codec.text(item) for item in old], [codec.text(item) for item in new]
    gone = {index: item for index, item in enumerate(old) if before[index] not in after}
    come = {index: item for index, item in enumerate(new) if after[index] not in before}
    if not all(_complete(codec.item, item) for item in come.values()):
        changed = [*gone.values(), *come.values()]
        hidden = {_HIDDEN: PropertyDiffKind.UPDATE_REPLACE} if _forces(codec, changed) else {}
        return {path: _kind("UPDATE", forced=forced), **hidden}
    found: Details = {}
    for index in sorted(gone.keys() | come.keys()):
        found |= _compare(codec.item, f"{path}[{index}]", gone.get(index), come.get(index), forced=forced)
    return found


def _complete(codec: Codec, item: Any) -> bool:  # noqa: ANN401 - as above
    """Whether the bridge finds the member among the inputs again: not if a text in it was left out."""
    if not isinstance(codec, Shape) or not isinstance(item, Mapping):
        return True
    return all(
        known.empty != "" if item.get(key) is None else _complete(known.codec, item[key])
        for key, known in codec.fields.items()
    )


def _compare_members(codec: Many, path: str, old: list[Any], new: list[Any], *, forced: bool) -> Details:
    found: Details = {}
    for index in range(max(len(old), len(new))):
        before, after = (values[index] if index < len(values) else None for values in (old, new))
        found |= _compare(codec.item, f"{path}[{index}]", before, after, forced=forced)
    return found


def _forces(codec: Codec, value: Any) -> bool:  # noqa: ANN401 - as above
    """Whether the value cannot come or go without a new resource."""
    if isinstance(codec, Many) and isinstance(value, list):
        return any(_forces(codec.item, item) for item in value)
    return (
        isinstance(codec, Shape)
        and isinstance(value, Mapping)
        and any(known.replaces or _forces(known.codec, value.get(key)) for key, known in codec.fields.items())
    )


def _kind(verb: str, *, forced: bool) -> PropertyDiffKind:
    return PropertyDiffKind[f"{verb}_REPLACE" if forced else verb]
