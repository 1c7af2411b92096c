"""A provider made of resource types. It checks and compares by their shapes, and leaves the rest to the types."""

import asyncio
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from lab.plugins.difference import Details, replaces
from lab.plugins.serve import ProviderError
from lab.plugins.shape import Shape
from lab.plugins.values import UNKNOWN, plain_map, wrap_like

Values = dict[str, Any]


class ResourceType(ABC):
    """One resource type. Its methods may block, since they run in threads."""

    shape: Shape
    autonamed = False
    """Whether `name` is made from the logical name if it is not set."""
    secret_properties: tuple[str, ...] = ()

    def check(self, inputs: Values) -> Values:
        """Return the inputs with the provider's defaults.

        Raises:
            ValueError: an input is not valid.
        """
        return inputs

    @abstractmethod
    def create(self, inputs: Values, name: str) -> tuple[str, Values]:
        """Create the resource, and return its id and properties."""

    @abstractmethod
    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:
        """Return the live inputs and properties, or None if the resource is gone."""

    def update(self, identifier: str, inputs: Values, properties: Values, ignored: Sequence[str]) -> Values:  # noqa: ARG002
        """Change the resource in place, except what is ignored, and return its properties."""
        raise ProviderError(f"{self.shape.name} {identifier} cannot become {inputs} from {properties} in place")

    @abstractmethod
    def delete(self, identifier: str, properties: Values) -> None:
        """Delete the resource."""

    def preview(self, inputs: Values, properties: Values) -> Values:  # noqa: ARG002 - for subclasses
        """Return the properties that are known before a create or an update. For a create, `properties` is empty."""
        return inputs

    def differences(self, properties: Values, inputs: Values, ignored: Sequence[str]) -> Details:
        """Return the inputs that change, with the kind of change. An object or a list changes as a whole."""
        fields = self.shape.fields
        old = {key: value for key, value in properties.items() if key in fields}
        details: Details = {}
        for key in sorted(old.keys() | inputs.keys()):
            if key in ignored or (key in old and key in inputs and old[key] == inputs[key]):
                continue
            verb = "ADD" if key not in old else "DELETE" if key not in inputs else "UPDATE"
            details[key] = PropertyDiffKind[f"{verb}_REPLACE" if fields[key].replaces else verb]
        return details


class TypedProvider(provider.Provider):
    """Serves resource types by their type tokens."""

    types: Mapping[str, ResourceType]
    config_shape: Shape | None = None

    async def check_config(self, request: provider.CheckRequest) -> provider.CheckResponse:
        """Refuse configuration that the real provider does not have."""
        inputs = plain_map(request.new_inputs)
        inputs.pop("version", None)
        found = self.config_shape.failures(inputs) if self.config_shape else []
        return provider.CheckResponse(
            inputs=request.new_inputs, failures=[provider.CheckFailure(key, reason) for key, reason in found]
        )

    async def diff_config(self, request: provider.DiffRequest) -> provider.DiffResponse:  # noqa: ARG002
        """Report nothing, so that the engine compares the configurations.

        The library would send True as 1, which is the protocol's number for "no changes".
        """
        return provider.DiffResponse()

    async def check(self, request: provider.CheckRequest) -> provider.CheckResponse:
        """Refuse unknown and missing inputs; fill in the name and the provider's defaults."""
        kind = self._type(request.type)
        inputs = plain_map(request.new_inputs)
        if kind.autonamed and "name" not in inputs:
            old = plain_map(request.old_inputs or {})
            inputs["name"] = old.get("name") or f"{request.name}-{_seven_digits(request.random_seed)}"
        failures = [provider.CheckFailure(key, reason) for key, reason in kind.shape.failures(inputs)]
        if not failures:
            try:
                inputs = kind.check(inputs)
            except ValueError as error:
                failures = [provider.CheckFailure("", str(error))]
        return provider.CheckResponse(inputs=_wrapped(kind, inputs, request.new_inputs), failures=failures)

    async def diff(self, request: provider.DiffRequest) -> provider.DiffResponse:
        """Return the properties that differ, and whether they replace the resource."""
        kind = self._type(request.type)
        details = kind.differences(
            plain_map(request.old_state), plain_map(request.new_inputs), request.ignore_changes or ()
        )
        return provider.DiffResponse(
            changes=bool(details),
            replaces=sorted({_top(path) for path, change in details.items() if replaces(change)}),
            diffs=sorted({_top(path) for path in details}),
            detailed_diff={key: PropertyDiff(change, input_diff=False) for key, change in details.items()},
        )

    async def create(self, request: provider.CreateRequest) -> provider.CreateResponse:
        """Create a resource, or in a preview return what is known of it."""
        kind = self._type(request.type)
        inputs = plain_map(request.properties)
        if request.preview:
            return provider.CreateResponse(
                resource_id="", properties=_wrapped(kind, kind.preview(inputs, {}), request.properties)
            )
        identifier, made = await asyncio.to_thread(kind.create, inputs, request.name)
        return provider.CreateResponse(resource_id=identifier, properties=_wrapped(kind, made, request.properties))

    async def read(self, request: provider.ReadRequest) -> provider.ReadResponse:
        """Return what is there now. A resource that is gone has no id."""
        kind = self._type(request.type)
        found = await asyncio.to_thread(
            kind.read, request.resource_id, plain_map(request.inputs), plain_map(request.properties)
        )
        if found is None:
            return provider.ReadResponse(resource_id="", properties={}, inputs={})
        inputs, properties = found
        return provider.ReadResponse(
            resource_id=request.resource_id,
            properties=_wrapped(kind, properties, request.properties),
            inputs=_wrapped(kind, inputs, request.inputs),
        )

    async def update(self, request: provider.UpdateRequest) -> provider.UpdateResponse:
        """Change a resource in place, or in a preview return what is known of it."""
        kind = self._type(request.type)
        inputs, before = plain_map(request.news), plain_map(request.olds)
        known = {**request.olds, **request.news}
        if request.preview:
            return provider.UpdateResponse(properties=_wrapped(kind, kind.preview(inputs, before), known))
        properties = await asyncio.to_thread(
            kind.update, request.resource_id, inputs, before, request.ignore_changes or ()
        )
        return provider.UpdateResponse(properties=_wrapped(kind, properties, known))

    async def delete(self, request: provider.DeleteRequest) -> None:
        """Delete a resource."""
        kind = self._type(request.type)
        await asyncio.to_thread(kind.delete, request.resource_id, plain_map(request.properties))

    async def cancel(self) -> None:
        """Do nothing, since nothing runs in the background."""

    def _type(self, qualified: str) -> ResourceType:
        token = qualified.rpartition("$")[2]  # the parents' types come first
        if token not in self.types:
            raise ProviderError(f'the stand-in has no resource type "{token}": it has {", ".join(sorted(self.types))}')
        return self.types[token]


def _top(path: str) -> str:
    """The resource's own property that the path begins with: all that Pulumi's short lines of progress show."""
    return re.split(r"[.\[]", path)[0]


def _wrapped(kind: ResourceType, values: Values, known: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    wrapped = wrap_like(values, known)
    for key in kind.secret_properties:
        if key in wrapped:
            wrapped[key] = wrapped[key].with_secret(is_secret=True)
    return wrapped


def _seven_digits(seed: bytes | None) -> str:
    return hashlib.sha256(seed or b"").hexdigest()[:7]


def unknown(inputs: Values, *names: str) -> Values:
    """Return the inputs, and these outputs as unknown."""
    return {**inputs, **dict.fromkeys(names, UNKNOWN)}
