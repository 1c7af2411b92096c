"""The shape of a resource: its properties, what a change of each means, and their paths in the API.

One table is used to check inputs, to decide between update and replacement, to write the API's document, and to read
the state from it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from typing import Any

from lab.plugins.codecs import Codec
from lab.plugins.values import UNKNOWN

LIVE: Any = object()
"""A field's `unset` when the state always has the API's value, even if the program did not set the property."""


@dataclass(frozen=True)
class Field:
    """A property. `api` is its dotted path in the API's document; empty if it is not there.

    `default` is the input that the provider fills in. `empty` is the state's value if the API's document has none.
    `unset` is the state's value after a create that did not set the property. If a `computed` property is not set, the
    engine's choice is no difference. An `output` is only in the state, and refused as an input.
    """

    api: str = ""
    codec: Codec = dataclass_field(default_factory=Codec)
    required: bool = False
    replaces: bool = False
    default: Any = None
    empty: Any = None
    unset: Any = LIVE
    computed: bool = False
    output: bool = False


# The common kinds of fields, which differ in the state's value when nothing is set.
text: Callable[..., Field] = partial(Field, empty="")
number: Callable[..., Field] = partial(Field, empty=0)
flag: Callable[..., Field] = partial(Field, empty=False)
strings: Callable[..., Field] = partial(Field, empty=[], unset=None)
table: Callable[..., Field] = partial(Field, empty={}, unset=None)
blocks: Callable[..., Field] = partial(Field, empty=[])


@dataclass(frozen=True)
class Shape(Codec):
    """An object with these properties. Errors use its `name`."""

    name: str
    fields: Mapping[str, Field]

    def to_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the API's document, with only the properties that have a value."""
        document: dict[str, Any] = {}
        for key, field in self.fields.items():
            item = value.get(key)
            if field.api and item is not None and item not in ("", [], {}):
                *parents, last = field.api.split(".")
                place = document
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[last] = field.codec.to_api(item)
        return document

    def from_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return all properties, as read from the document."""
        state = {}
        for key, field in self.fields.items():
            found: Any = value
            for part in field.api.split("."):
                found = found.get(part) if isinstance(found, Mapping) else None
            state[key] = field.empty if found is None else field.codec.from_api(found)
        return state

    def failures(self, inputs: Any, path: str = "") -> list[tuple[str, str]]:  # noqa: ANN401 - whatever a program passed
        """Return what is wrong with the inputs, as pairs (property, reason)."""
        if inputs is UNKNOWN:
            return []
        if not isinstance(inputs, Mapping):
            return [(path, f"{self.name} takes an object")]
        accepted = sorted(key for key, field in self.fields.items() if not field.output)
        found = [
            (path + key, f'{self.name} has no property "{key}": it has {", ".join(accepted)}')
            for key in inputs
            if key not in accepted
        ]
        for key, field in self.fields.items():
            if field.required and key not in inputs:
                found.append((path + key, f'{self.name} needs the property "{key}"'))
            elif key in inputs:
                found += _failures(field.codec, inputs[key], f"{path}{key}")
        return found

    def with_defaults(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs, with the provider's defaults for those that are not set."""
        defaults = {key: field.default for key, field in self.fields.items() if field.default is not None}
        return {**defaults, **{key: _with_defaults(self.fields[key].codec, item) for key, item in inputs.items()}}


@dataclass(frozen=True)
class ListOf(Codec):
    """A list of objects of one shape."""

    item: Codec

    def to_api(self, value: Sequence[Any]) -> list[Any]:
        """Return the API's documents."""
        return [self.item.to_api(item) for item in value]

    def from_api(self, value: Sequence[Any]) -> list[Any]:
        """Return the inputs."""
        return [self.item.from_api(item) for item in value]


class SetOf(ListOf):
    """A set, kept as a list in Terraform's order, which is that of the members' texts."""

    def from_api(self, value: Sequence[Any]) -> list[Any]:
        """Return the members in Terraform's order."""
        return sorted(super().from_api(value), key=self.text)

    def text(self, member: Any) -> str:  # noqa: ANN401 - a member of any shape
        """Return a member's text. Members that Terraform considers equal have the same text."""
        return member if isinstance(member, str) else _text(self.item, member)


class Labels(SetOf):
    """A map in the API, a set of objects with label and value in an input."""

    def __init__(self, *, replaces: bool = False) -> None:
        label = Shape("label", {key: text(required=True, replaces=replaces) for key in ("label", "value")})
        super().__init__(label)

    def to_api(self, value: Sequence[Mapping[str, str]]) -> Any:  # noqa: ANN401 - as below
        """Return the map."""
        return {item["label"]: item["value"] for item in value}

    def from_api(self, value: Any) -> list[dict[str, str]]:  # noqa: ANN401 - a map, where the base class has a list
        """Return the labels, sorted."""
        return [{"label": key, "value": item} for key, item in sorted(value.items())]


def _text(codec: Codec, value: Any) -> str:  # noqa: ANN401 - any property's value
    """Return a value's text, in which an unset property looks like an empty one."""
    if value is UNKNOWN:
        return "?"
    if isinstance(codec, Shape):
        if value is None:
            return "[]"
        items = ((field, value.get(key)) for key, field in sorted(codec.fields.items()))
        return (
            f"[<{''.join(_text(field.codec, field.empty if item is None else item) + ';' for field, item in items)}>]"
        )
    if isinstance(codec, ListOf):
        members = [_text(codec.item, item) + ";" for item in value]
        return f"[{''.join(sorted(members) if isinstance(codec, SetOf) else members)}]"
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
    if isinstance(codec, ListOf) and isinstance(codec.item, Shape):
        return [bad for index, item in enumerate(value) for bad in codec.item.failures(item, f"{path}[{index}].")]
    return []


def _with_defaults(codec: Codec, value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(codec, Shape) and isinstance(value, Mapping):
        return codec.with_defaults(value)
    if isinstance(codec, ListOf) and isinstance(value, list):
        return [_with_defaults(codec.item, item) for item in value]
    return value
