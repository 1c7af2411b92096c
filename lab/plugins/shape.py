"""The shape of a resource: which properties it has, what a change of each means, and what an API calls them.

One table serves checking inputs, telling update from replacement, writing an API document and reading it back.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lab.plugins.values import UNKNOWN


class Codec:
    """How a value looks in the API: the same, unless a subclass says otherwise."""

    def to_api(self, value: Any) -> Any:  # noqa: ANN401 - any property's value
        """The API's form of an input."""
        return value

    def from_api(self, value: Any) -> Any:  # noqa: ANN401 - as above
        """The input that the API's form stands for."""
        return value

    def changes_kind(self, old: Any, new: Any) -> bool:  # noqa: ARG002, ANN401 - for subclasses
        """Whether a change of the value alone takes a new resource."""
        return False


class Duration(Codec):
    """Nanoseconds in the API, text such as «1m30s» in an input."""

    _UNITS: ClassVar = {
        "h": 3_600_000_000_000,
        "m": 60_000_000_000,
        "s": 1_000_000_000,
        "ms": 1_000_000,
        "us": 1_000,
        "ns": 1,
    }

    def to_api(self, value: str) -> int:
        """Nanoseconds."""
        parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|h|m|s)", value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            raise ValueError(f"time: invalid duration «{value}»")
        return round(sum(float(number) * self._UNITS[unit] for number, unit in parts))

    def from_api(self, value: int) -> str:
        """Go's text of the duration: hours, minutes, seconds."""
        seconds, rest = divmod(value, 1_000_000_000)
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        fraction = f".{rest:09d}".rstrip("0") if rest else ""
        text = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(hours or minutes)
        return f"{text}{seconds % 60}{fraction}s"

    def same(self, left: str, right: str) -> bool:
        """Whether two texts are the same time."""
        return self.to_api(left) == self.to_api(right)


class Environment(Codec):
    """A list of KEY=VALUE in the API, a map in an input."""

    def to_api(self, value: Mapping[str, str]) -> list[str]:
        """Sorted, so that the order of a map is no change."""
        return sorted(f"{key}={item}" for key, item in value.items())

    def from_api(self, value: Sequence[str]) -> dict[str, str]:
        """The map."""
        return dict(item.split("=", 1) for item in value)


class Labels(Codec):
    """A map in the API, a list of label and value in an input."""

    def to_api(self, value: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """The map."""
        return {item["label"]: item["value"] for item in value}

    def from_api(self, value: Mapping[str, str]) -> list[dict[str, str]]:
        """Sorted by label."""
        return [{"label": key, "value": item} for key, item in sorted(value.items())]


class Text(Codec):
    """A number in the API, its text in an input."""

    def to_api(self, value: str) -> float:
        """The number."""
        return float(value)

    def from_api(self, value: float) -> str:
        """The text."""
        return f"{value:g}"


@dataclass(frozen=True)
class Field:
    """A property: `api` is its path in the API's document, dotted; empty if it has none there.

    `default` is what the real provider sends when the property is left out. Of a `computed` one that is left out,
    the provider reports what the engine chose, and that is no difference.
    """

    api: str = ""
    codec: Codec = field(default_factory=Codec)
    required: bool = False
    replaces: bool = False
    default: Any = None
    computed: bool = False


@dataclass(frozen=True)
class Shape(Codec):
    """An object with these properties; `name` is what errors call it."""

    name: str
    fields: Mapping[str, Field]

    def to_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The API's document, with nothing in it but the inputs and the provider's defaults."""
        document: dict[str, Any] = {}
        for key, known in self.fields.items():
            item = value.get(key, known.default)
            if known.api and item is not None:
                *parents, last = known.api.split(".")
                place = document
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[last] = known.codec.to_api(item)
        return document

    def from_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs for all that the document says."""
        inputs = {}
        for key, known in self.fields.items():
            found: Any = value
            for part in known.api.split("."):
                found = found.get(part) if isinstance(found, Mapping) else None
            if known.api and found is not None:
                inputs[key] = known.codec.from_api(found)
        return inputs

    def failures(self, inputs: Any, path: str = "") -> list[tuple[str, str]]:  # noqa: ANN401 - whatever a program passed
        """What is wrong with the inputs: (property, reason)."""
        if inputs is UNKNOWN:
            return []
        if not isinstance(inputs, Mapping):
            return [(path, f"{self.name} takes an object")]
        found = [
            (path + key, f"{self.name} has no property «{key}»: it has {', '.join(sorted(self.fields))}")
            for key in inputs
            if key not in self.fields
        ]
        for key, known in self.fields.items():
            if known.required and key not in inputs:
                found.append((path + key, f"{self.name} needs the property «{key}»"))
            elif key in inputs:
                found += _failures(known.codec, inputs[key], f"{path}{key}.")
        return found

    def replaces(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether the step from the old to the new inputs takes a new resource."""
        return any(
            known.replaces or _replaces(known.codec, old.get(key), new.get(key))
            for key, known in self.fields.items()
            if old.get(key) != new.get(key)
        )

    def seen(self, inputs: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as the API's present document has them: what a program left out is nobody's drift."""
        return {
            key: _seen(self.fields[key].codec, value, live.get(key)) if self.fields[key].api else value
            for key, value in inputs.items()
            if key in live or not self.fields[key].api or value in ([], {}, "")
        }


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


def _failures(codec: Codec, value: Any, path: str) -> list[tuple[str, str]]:  # noqa: ANN401 - any property's value
    if value is UNKNOWN:
        return []
    if isinstance(codec, Shape):
        return codec.failures(value, path)
    if isinstance(codec, Many) and isinstance(codec.item, Shape):
        return [bad for index, item in enumerate(value) for bad in codec.item.failures(item, f"{path[:-1]}[{index}].")]
    return []


def _replaces(codec: Codec, old: Any, new: Any) -> bool:  # noqa: ANN401 - as above
    if isinstance(codec, Shape) and isinstance(old, Mapping) and isinstance(new, Mapping):
        return codec.replaces(old, new)
    if isinstance(codec, Many) and isinstance(codec.item, Shape) and isinstance(old, list) and isinstance(new, list):
        return any(_replaces(codec.item, before, after) for before, after in zip(old, new, strict=False))
    return codec.changes_kind(old, new)


def _seen(codec: Codec, value: Any, live: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(codec, Shape) and isinstance(value, Mapping) and isinstance(live, Mapping):
        return codec.seen(value, live)
    if isinstance(codec, Many) and isinstance(live, list) and len(live) == len(value):
        return [_seen(codec.item, before, after) for before, after in zip(value, live, strict=True)]
    if isinstance(codec, Duration) and live is not None and codec.same(value, live):
        return value
    if live is None:
        return value if value in ([], {}, "") else None
    return live
