"""What a create, an update and a refresh leave in the state."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.plugins.codecs import Codec
from lab.plugins.shape import LIVE, Field, Many, Shape, Unordered


def settled(codec: Codec, live: Any, given: Any, before: Any) -> Any:  # noqa: ANN401 - any property's values
    """The property after a create or an update, from what the engine has, what the program gave and the last state.

    A property that the program left out is mostly what the engine has. Some keep another value until a refresh.
    """
    if isinstance(codec, Shape) and isinstance(live, Mapping):
        given, before = given or {}, before or {}
        return {key: _settled(known, live[key], given.get(key), before.get(key)) for key, known in codec.fields.items()}
    if isinstance(codec, Unordered):
        return [settled(codec.item, item, _same(item, given), _same(item, before)) for item in live]
    return live


def _settled(known: Field, live: Any, given: Any, before: Any) -> Any:  # noqa: ANN401 - as above
    if given is None and known.unset is not LIVE and before in (None, known.unset):
        return known.unset
    return settled(known.codec, live, given, before)


def _same(live: Any, members: Sequence[Any] | None) -> Any:  # noqa: ANN401 - a member of any shape
    """The member of a set that the live one was made of, or None."""
    return next((member for member in members or () if _within(member, live)), None)


def _within(part: Any, whole: Any) -> bool:  # noqa: ANN401 - as above
    if isinstance(part, Mapping) and isinstance(whole, Mapping):
        return all(value is None or _within(value, whole.get(key)) for key, value in part.items())
    return bool(part == whole)


def refreshed(codec: Codec, inputs: Any, live: Any) -> Any:  # noqa: ANN401 - any property's values
    """The inputs with their present values. A refresh adds none: what a program left out is nobody's input."""
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        if isinstance(codec, Shape):
            return {key: refreshed(codec.fields[key].codec, item, live.get(key)) for key, item in inputs.items()}
        return {key: live[key] for key in inputs if key in live}
    if isinstance(codec, Many) and isinstance(inputs, list) and isinstance(live, list):
        pairs = _pairs(inputs, live) if _of_objects(codec) else zip(inputs, live, strict=False)
        return [refreshed(codec.item, before, now) for before, now in pairs]
    if isinstance(inputs, list) and isinstance(live, list):
        return live[: len(inputs)]
    return live


def _of_objects(codec: Many) -> bool:
    return isinstance(codec, Unordered) and isinstance(codec.item, Shape)


def _pairs(inputs: Sequence[Mapping[str, Any]], live: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    """Members of two sets, those with most properties in common together; in the inputs' order."""

    def alike(pair: tuple[int, int]) -> int:
        before, now = inputs[pair[0]], live[pair[1]]
        return sum(1 + 2 * (value == now[key]) for key, value in before.items() if key in now)

    every = ((old, new) for old in range(len(inputs)) for new in range(len(live)))
    partners: dict[int, int] = {}
    for old, new in sorted(every, key=alike, reverse=True):
        if old not in partners and new not in partners.values():
            partners[old] = new
    return [(inputs[old], live[new]) for old, new in sorted(partners.items())]
