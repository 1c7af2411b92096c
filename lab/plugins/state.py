"""Compute the state after a create, an update and a refresh."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.plugins.codecs import Codec
from lab.plugins.shape import LIVE, Field, ListOf, SetOf, Shape


def state_after_change(codec: Codec, live: Any, given: Any, before: Any) -> Any:  # noqa: ANN401 - any property's values
    """Return a property after a create or update, from the engine's value, the program's and the last state's.

    A property that the program did not set mostly has the engine's value. Some have another value until a refresh.
    """
    if isinstance(codec, Shape) and isinstance(live, Mapping):
        given, before = given or {}, before or {}
        return {
            key: _field_after_change(field, live[key], given.get(key), before.get(key))
            for key, field in codec.fields.items()
        }
    if isinstance(codec, SetOf):
        return [state_after_change(codec.item, item, _same(item, given), _same(item, before)) for item in live]
    return live


def _field_after_change(field: Field, live: Any, given: Any, before: Any) -> Any:  # noqa: ANN401 - as above
    if given is None and field.unset is not LIVE and before in (None, field.unset):
        return field.unset
    return state_after_change(field.codec, live, given, before)


def _same(live: Any, members: Sequence[Any] | None) -> Any:  # noqa: ANN401 - a member of any shape
    """Return the member of a set that the live one was made from, or None."""
    return next((member for member in members or () if _within(member, live)), None)


def _within(part: Any, whole: Any) -> bool:  # noqa: ANN401 - as above
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(value is None or _within(value, whole.get(key)) for key, value in part.items())
    return bool(part == whole)


def refreshed(codec: Codec, inputs: Any, live: Any) -> Any:  # noqa: ANN401 - any property's values
    """Return the inputs with their live values. A refresh adds no inputs that the program did not set."""
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        if isinstance(codec, Shape):
            return {key: refreshed(codec.fields[key].codec, item, live.get(key)) for key, item in inputs.items()}
        return {key: live[key] for key in inputs if key in live}
    if isinstance(codec, ListOf) and isinstance(inputs, list) and isinstance(live, list):
        pairs = _pairs(inputs, live) if _of_objects(codec) else zip(inputs, live, strict=False)
        return [refreshed(codec.item, before, now) for before, now in pairs]
    if isinstance(inputs, list) and isinstance(live, list):
        return live[: len(inputs)]
    return live


def _of_objects(codec: ListOf) -> bool:
    return isinstance(codec, SetOf) and isinstance(codec.item, Shape)


def _pairs(inputs: Sequence[Mapping[str, Any]], live: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    """Pair the members of two sets that have the most properties in common, in the inputs' order."""

    def alike(pair: tuple[int, int]) -> int:
        before, now = inputs[pair[0]], live[pair[1]]
        return sum(1 + 2 * (value == now[key]) for key, value in before.items() if key in now)

    every = ((old, new) for old in range(len(inputs)) for new in range(len(live)))
    partners: dict[int, int] = {}
    for old, new in sorted(every, key=alike, reverse=True):
        if old not in partners and new not in partners.values():
            partners[old] = new
    return [(inputs[old], live[new]) for old, new in sorted(partners.items())]
