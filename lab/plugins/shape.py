"""The shape of a resource: which properties it has, what a change of each means, and what an API calls them.

One table serves checking inputs, telling update from replacement, writing an API document, and the state that is made
of the document that the API has.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lab.plugins.codecs import Codec
from lab.plugins.values import UNKNOWN

LIVE: Any = object()
"""As a field's `unset`: the state has what the API has, whether the program gave it or not."""


@dataclass(frozen=True)
class Field:
    """A property: `api` is its path in the API's document, dotted; empty if it has none there.

    `default` is an input that the provider fills in. `empty` is in the state when the API's document has nothing.
    `unset` is in the state after a create that did not give the property. Of a `computed` one that is left out, the
    engine's choice is no difference. An `output` is in the state only, and refused as an input.
    """

    api: str = ""
    codec: Codec = field(default_factory=Codec)
    required: bool = False
    replaces: bool = False
    default: Any = None
    empty: Any = None
    unset: Any = LIVE
    computed: bool = False
    output: bool = False


# The common kinds of fields, by what the state has where nothing is set.
text: Callable[..., Field] = partial(Field, empty="")
number: Callable[..., Field] = partial(Field, empty=0)
flag: Callable[..., Field] = partial(Field, empty=False)
strings: Callable[..., Field] = partial(Field, empty=[], unset=None)
table: Callable[..., Field] = partial(Field, empty={}, unset=None)
blocks: Callable[..., Field] = partial(Field, empty=[])


@dataclass(frozen=True)
class Shape(Codec):
    """An object with these properties; `name` is what errors call it."""

    name: str
    fields: Mapping[str, Field]

    def to_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The API's document, with nothing in it but what has a value."""
        document: dict[str, Any] = {}
        for key, known in self.fields.items():
            item = value.get(key)
            if known.api and item is not None and item not in ("", [], {}):
                *parents, last = known.api.split(".")
                place = document
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[last] = known.codec.to_api(item)
        return document

    def from_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """All properties, as the document has them."""
        state = {}
        for key, known in self.fields.items():
            found: Any = value
            for part in known.api.split("."):
                found = found.get(part) if isinstance(found, Mapping) else None
            state[key] = known.empty if found is None else known.codec.from_api(found)
        return state

    def failures(self, inputs: Any, path: str = "") -> list[tuple[str, str]]:  # noqa: ANN401 - whatever a program passed
        """What is wrong with the inputs: (property, reason)."""
        if inputs is UNKNOWN:
            return []
        if not isinstance(inputs, Mapping):
            return [(path, f"{self.name} takes an object")]
        known_keys = sorted(key for key, known in self.fields.items() if not known.output)
        found = [
            (path + key, f'{self.name} has no property "{key}": it has {", ".join(known_keys)}')
            for key in inputs
            if key not in known_keys
        ]
        for key, known in self.fields.items():
            if known.required and key not in inputs:
                found.append((path + key, f'{self.name} needs the property "{key}"'))
            elif key in inputs:
                found += _failures(known.codec, inputs[key], f"{path}{key}")
        return found

    def with_defaults(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs, and the provider's defaults for those that are left out."""
        defaults = {key: known.default for key, known in self.fields.items() if known.default is not None}
        return {**defaults, **{key: _with_defaults(self.fields[key].codec, item) for key, item in inputs.items()}}


@dataclass(frozen=True)
class Many(Codec):
    """A list of objects of one shape."""

    item: Codec

    def to_api(self, value: Sequence[Any]) -> list[Any]:
        """The API's documents."""
        return [self.item.to_api(item) for item in value]

    def from_api(self, value: Sequence[Any]) -> list[Any]:
        """The inputs."""
        return [self.item.from_api(item) for item in value]


class Unordered(Many):
    """A set, as a list in the order that Terraform gives it: by the members' text."""

    def from_api(self, value: Sequence[Any]) -> list[Any]:
        """The members, in Terraform's order."""
        return sorted(super().from_api(value), key=self.text)

    def text(self, member: Any) -> str:  # noqa: ANN401 - a member of any shape
        """The text of a member; it is the same for those that are the same to Terraform."""
        return member if isinstance(member, str) else _text(self.item, member)


class Labels(Unordered):
    """A map in the API, a set of label and value in an input."""

    def __init__(self, *, replaces: bool = False) -> None:
        label = Shape("label", {key: text(required=True, replaces=replaces) for key in ("label", "value")})
        super().__init__(label)

    def to_api(self, value: Sequence[Mapping[str, str]]) -> Any:  # noqa: ANN401 - as below
        """The map."""
        return {item["label"]: item["value"] for item in value}

    def from_api(self, value: Any) -> list[dict[str, str]]:  # noqa: ANN401 - a map, where the base class has a list
        """Sorted by label."""
        return [{"label": key, "value": item} for key, item in sorted(value.items())]


def _text(codec: Codec, value: Any) -> str:  # noqa: ANN401 - any property's value
    """Text in which a property that is left out looks like an empty one."""
    if value is UNKNOWN:
        return "?"
    if isinstance(codec, Shape):
        if value is None:
            return "[]"
        items = ((known, value.get(key)) for key, known in sorted(codec.fields.items()))
        return (
            f"[<{''.join(_text(known.codec, known.empty if item is None else item) + ';' for known, item in items)}>]"
        )
    if isinstance(codec, Many):
        members = [_text(codec.item, item) + ";" for item in value]
        return f"[{''.join(sorted(members) if isinstance(codec, Unordered) else members)}]"
    if isinstance(value, Mapping):
        return f"{{{''.join(f'{json.dumps(key)}:{_text(codec, item)};' for key, item in sorted(value.items()))}}}"
    if isinstance(value, bool) or value is None:
        return {True: "T", False: "F", None: "~"}[value]
    return json.dumps(value)


def _failures(codec: Codec, value: Any, path: str) -> list[tuple[str, str]]:  # noqa: ANN401 - as above
    if value is UNKNOWN:
        return []
    if isinstance(codec, Shape):
        return codec.failures(value, f"{path}.")
    if isinstance(codec, Many) and isinstance(codec.item, Shape):
        return [bad for index, item in enumerate(value) for bad in codec.item.failures(item, f"{path}[{index}].")]
    return []


def _with_defaults(codec: Codec, value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(codec, Shape) and isinstance(value, Mapping):
        return codec.with_defaults(value)
    if isinstance(codec, Many) and isinstance(value, list):
        return [_with_defaults(codec.item, item) for item in value]
    return value
