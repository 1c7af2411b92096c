"""Compute what a changed program changes in a resource, by property, as Pulumi's Terraform bridge reports it."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.provider import PropertyDiffKind

from lab.plugins.codecs import Codec
from lab.plugins.shape import Field, ListOf, SetOf, Shape
from lab.plugins.values import UNKNOWN

Values = Mapping[str, Any]
Details = dict[str, PropertyDiffKind]

_HIDDEN = "__meta"
"""The path that the bridge reports when no other path shows why the resource is replaced."""


def planned(shape: Shape, inputs: Values, before: Values, ignored: Iterable[str] = ()) -> dict[str, Any]:
    """Return all properties as they will be: the inputs, and for the others the state's values if they are kept.

    Properties in `ignored` keep the state's values.
    """
    plan = {key: _planned(field, inputs.get(key), before.get(key)) for key, field in shape.fields.items()}
    for path in ignored:
        _keep(plan, before, path.split("."))
    return plan


def _keep(plan: dict[str, Any], before: Values, path: Sequence[str]) -> None:
    key, *rest = path
    if not rest:
        plan[key] = before.get(key)
    elif isinstance(plan.get(key), dict) and isinstance(before.get(key), Mapping):
        _keep(plan[key], before[key], rest)


def _planned(field: Field, given: Any, before: Any) -> Any:  # noqa: ANN401 - any property's values
    codec = field.codec
    if given is None:
        if field.computed or field.output or not before or before == field.empty:
            return before
        return {} if isinstance(before, Mapping) and not isinstance(codec, Shape) else None
    if isinstance(codec, Shape) and isinstance(given, Mapping):
        return planned(codec, given, before or {})
    if isinstance(codec, ListOf) and isinstance(codec.item, Shape) and isinstance(given, list):
        # A member of a set has no position, so it has no earlier value.
        old = [] if isinstance(codec, SetOf) else before or []
        return [
            planned(codec.item, item, old[index] if index < len(old) else {}) if isinstance(item, Mapping) else item
            for index, item in enumerate(given)
        ]
    return given


def differences(shape: Shape, before: Values, plan: Values) -> Details:
    """Return the paths of the properties that change, with the kind of each change."""
    details: Details = {}
    for key, field in shape.fields.items():
        details |= _compare(field.codec, key, before.get(key), plan.get(key), forced=field.replaces)
    hidden = details.pop(_HIDDEN, None)
    if hidden and not any(replaces(kind) for kind in details.values()):
        details[_HIDDEN] = hidden
    return details


def replaces(kind: PropertyDiffKind) -> bool:
    """Return whether the change replaces the resource."""
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
        for key, field in codec.fields.items():
            found |= _compare(field.codec, f"{path}.{key}", old.get(key), new.get(key), forced=field.replaces)
        return found
    if isinstance(codec, SetOf):
        return _compare_sets(codec, path, old, new, forced=forced)
    if isinstance(codec, ListOf):
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
    """Return the changed members as a text diff would; the whole list if a member is unknown."""
    if UNKNOWN in new:
        return {path: _kind("UPDATE", forced=forced)}
    removed: set[int] = set()
    added: set[int] = set()
    for verb, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if verb != "equal":
            removed |= set(range(old_from, old_to))
            added |= set(range(new_from, new_to))
    verbs = {
        index: "UPDATE" if index in removed & added else "DELETE" if index in removed else "ADD"
        for index in removed | added
    }
    return {f"{path}[{index}]": _kind(verb, forced=forced) for index, verb in sorted(verbs.items())}


def _compare_sets(codec: SetOf, path: str, old: list[Any], new: list[Any], *, forced: bool) -> Details:
    if UNKNOWN in new:
        return {path: _kind("UPDATE", forced=forced)}
    before, after = [codec.text(item) for item in old], [codec.text(item) for item in new]
    removed = {index: item for index, item in enumerate(old) if before[index] not in after}
    added = {index: item for index, item in enumerate(new) if after[index] not in before}
    if not all(_complete(codec.item, item) for item in added.values()):
        changed = [*removed.values(), *added.values()]
        hidden = {_HIDDEN: PropertyDiffKind.UPDATE_REPLACE} if _forces(codec, changed) else {}
        return {path: _kind("UPDATE", forced=forced), **hidden}
    found: Details = {}
    for index in sorted(removed.keys() | added.keys()):
        found |= _compare(codec.item, f"{path}[{index}]", removed.get(index), added.get(index), forced=forced)
    return found


def _complete(codec: Codec, item: Any) -> bool:  # noqa: ANN401 - as above
    """Return whether the bridge can find the member among the inputs. It cannot if a text in it was left out."""
    if not isinstance(codec, Shape) or not isinstance(item, Mapping):
        return True
    return all(
        field.empty != "" if item.get(key) is None else _complete(field.codec, item[key])
        for key, field in codec.fields.items()
    )


def _compare_members(codec: ListOf, path: str, old: list[Any], new: list[Any], *, forced: bool) -> Details:
    found: Details = {}
    for index in range(max(len(old), len(new))):
        before, after = (values[index] if index < len(values) else None for values in (old, new))
        found |= _compare(codec.item, f"{path}[{index}]", before, after, forced=forced)
    return found


def _forces(codec: Codec, value: Any) -> bool:  # noqa: ANN401 - as above
    """Return whether adding or removing the value replaces the resource."""
    if isinstance(codec, ListOf) and isinstance(value, list):
        return any(_forces(codec.item, item) for item in value)
    return (
        isinstance(codec, Shape)
        and isinstance(value, Mapping)
        and any(field.replaces or _forces(field.codec, value.get(key)) for key, field in codec.fields.items())
    )


def _kind(verb: str, *, forced: bool) -> PropertyDiffKind:
    return PropertyDiffKind[f"{verb}_REPLACE" if forced else verb]
