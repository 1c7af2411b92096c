"""Resource types that the real provider has from Terraform: the state has every property, whether it is set or not."""

from collections.abc import Mapping, Sequence
from typing import Any

from lab.plugins import difference
from lab.plugins.difference import Details
from lab.plugins.resource import ResourceType, Values
from lab.plugins.state import refreshed, settled
from lab.plugins.values import UNKNOWN


class BridgedType(ResourceType):
    """A type whose inputs, state and differences follow from its shape."""

    autonamed = True

    def check(self, inputs: Values) -> Values:
        """The inputs with the provider's defaults."""
        return self.shape.with_defaults(inputs)

    def differences(self, properties: Values, inputs: Values, ignored: Sequence[str]) -> Details:
        """The properties that change, to the innermost one."""
        plan = difference.planned(self.shape, inputs, properties, ignored)
        return difference.differences(self.shape, properties, plan)

    def preview(self, inputs: Values, properties: Values) -> Values:
        """The state as far as it is known: the engine's choices of a new resource are not."""
        plan = difference.planned(self.shape, inputs, properties)
        if not properties:
            fields = self.shape.fields.items()
            plan |= {key: UNKNOWN for key, known in fields if plan[key] is None and (known.computed or known.output)}
        return {"id": properties.get("id", UNKNOWN), **plan}

    def settled(self, identifier: str, document: Mapping[str, Any], inputs: Values, properties: Values) -> Values:
        """The state after a create (without earlier properties) or an update, when the API has this document."""
        return {"id": identifier, **settled(self.shape, self.shape.from_api(document), inputs, properties)}

    def refreshed(self, identifier: str, document: Mapping[str, Any], inputs: Values) -> tuple[Values, Values]:
        """Inputs and state after a refresh, when the API has this document."""
        live = self.shape.from_api(document)
        return refreshed(self.shape, inputs, live), {"id": identifier, **live}
