"""docker:index/serviceConfig:ServiceConfig and docker:index/secret:Secret: immutable, so a change makes a new one."""

import base64
import binascii

from lab.plugins.bridged import BridgedType
from lab.plugins.docker.engine_api import EngineApi
from lab.plugins.resource import Values
from lab.plugins.shape import Field, Labels, Shape, blocks, text


class _SwarmFile(BridgedType):
    """What configs and secrets have in common; `path` is where the API keeps them."""

    path: str

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def check(self, inputs: Values) -> Values:
        """The data must be standard base64; unlike the real one, the error does not print it."""
        if isinstance(data := inputs["data"], str):
            try:
                base64.b64decode(data, validate=True)
            except binascii.Error:
                raise ValueError("expected data to be base64 encoded") from None
        return super().check(inputs)

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it. The Engine need not be asked what it has now: it takes all as it is, and gives no secret out."""
        document = self.shape.to_api(inputs)
        made = self._engine.call("POST", f"{self.path}/create", json=document)
        return made["ID"], self.settled(made["ID"], document, inputs, {})

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:
        """Whether it is there: it cannot have changed."""
        if not self._engine.find(f"{self.path}/{identifier}"):
            return None
        return inputs, {"id": identifier, **{key: properties.get(key) for key in self.shape.fields}}

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it; the Engine refuses while a service uses it."""
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
