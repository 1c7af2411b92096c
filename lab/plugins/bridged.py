"""Resource types that the real provider bridges from Terraform. Their state has every property, set or not."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.plugins import difference
from lab.plugins.difference import Details
from lab.plugins.resource import ResourceType, Values
from lab.plugins.state import refreshed, state_after_change
from lab.plugins.values import UNKNOWN


class BridgedType(ResourceType):
    """A type whose inputs, state and differences follow from its shape."""

    autonamed = True

    def check(self, inputs: Values) -> Values:
        """Return the inputs with the provider's defaults."""
        return self.shape.with_defaults(inputs)

    def differences(self, properties: Values, inputs: Values, ignored: Sequence[str]) -> Details:
        """Return the paths of the innermost properties that change."""
        plan = difference.planned(self.shape, inputs, properties, ignored)
        return difference.differences(self.shape, properties, plan)

    def preview(self, inputs: Values, properties: Values) -> Values:
        """Return the state as far as it is known. What the engine chooses for a new resource is not."""
        plan = difference.planned(self.shape, inputs, properties)
        if not properties:
            fields = self.shape.fields.items()
            plan |= {key: UNKNOWN for key, field in fields if plan[key] is None and (field.computed or field.output)}
        return {"id": properties.get("id", UNKNOWN), **plan}

    def state_after_change(
        self, identifier: str, document: Mapping[str, Any], inputs: Values, properties: Values
    ) -> Values:
        """Return the state after a create or update, given the API's document. A create has no earlier properties."""
        return {"id": identifier, **state_after_change(self.shape, self.shape.from_api(document), inputs, properties)}

    def refreshed(self, identifier: str, document: Mapping[str, Any], inputs: Values) -> tuple[Values, Values]:
        """Return inputs and state after a refresh, given the API's document."""
        live = self.shape.from_api(document)
        return refreshed(self.shape, inputs, live), {"id": identifier, **live}
