"""The resource types docker:index/serviceConfig:ServiceConfig and docker:index/secret:Secret.

Both are immutable, so a change makes a new one.
"""

import base64
import binascii

from lab.plugins.bridged import BridgedType
from lab.plugins.docker.engine_api import EngineApi
from lab.plugins.resource import Values
from lab.plugins.shape import Field, Labels, Shape, blocks, text


class _SwarmFile(BridgedType):
    """The common part of configs and secrets. `path` is their path in the API."""

    path: str

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def check(self, inputs: Values) -> Values:
        """Refuse data that is not standard base64. Unlike the real provider's, the error does not print the data."""
        if isinstance(data := inputs["data"], str):
            try:
                base64.b64decode(data, validate=True)
            except binascii.Error:
                raise ValueError("expected data to be base64 encoded") from None
        return super().check(inputs)

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it. It need not be read back: the Engine stores it unchanged, and does not return a secret's data."""
        document = self.shape.to_api(inputs)
        made = self._engine.call("POST", f"{self.path}/create", json=document)
        return made["ID"], self.state_after_change(made["ID"], document, inputs, {})

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:
        """Check that it still exists. It cannot have changed."""
        if not self._engine.find(f"{self.path}/{identifier}"):
            return None
        return inputs, {"id": identifier, **{key: properties.get(key) for key in self.shape.fields}}

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it. The Engine refuses this while a service uses it."""
        self._engine.call("DELETE", f"{self.path}/{identifier}")


_FIELDS = {
    "name": text("Name", replaces=True),
    "data": text("Data", required=True, replaces=True),
    "labels": blocks("Labels", Labels(replaces=True), replaces=True),
}


class ServiceConfig(_SwarmFile):
    """A Swarm config."""

    path = "/configs"
    shape = Shape("config", {**_FIELDS, "dataRaw": Field(output=True)})


class Secret(_SwarmFile):
    """A Swarm secret."""

    path = "/secrets"
    secret_properties = ("data",)
    shape = Shape("secret", _FIELDS)
