"""Convert between plain Python values and Pulumi's property values. Secrets stay secret."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_ON_THE_WIRE


class Unknown:
    """A value that is not known before the deployment has produced it."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def plain(value: PropertyValue) -> Any:  # noqa: ANN401 - what a property can hold
    """Return the value without its wrapper, with whole numbers as ints."""
    inner = value.value
    if inner == UNKNOWN_ON_THE_WIRE:  # the library has a class `Computed` for this, but does not use it on the wire
        return UNKNOWN
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items() if item.value is not None}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    return inner


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """Return all properties as plain values, without those that are null."""
    return {key: plain(value) for key, value in values.items() if value.value is not None}


def wrap(value: Any) -> PropertyValue:  # noqa: ANN401 - as above
    """The property value of a plain one."""
    if value is UNKNOWN:
        return PropertyValue(UNKNOWN_ON_THE_WIRE)
    if isinstance(value, Mapping):
        return PropertyValue({key: wrap(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return PropertyValue([wrap(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def wrap_like(values: Mapping[str, Any], known: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    """Wrap plain values. An unchanged known property is kept as it is, and a secret one stays secret."""
    wrapped = {}
    for key, value in values.items():
        before = known.get(key)
        if before is not None and plain(before) == value:
            wrapped[key] = before
        else:
            wrapped[key] = wrap(value).with_secret(before is not None and before.contains_secret())
    return wrapped
