"""docker:index/serviceConfig:ServiceConfig and docker:index/secret:Secret: immutable, so a change makes a new one."""

import base64
import binascii

from lab.plugins.docker.engine_api import EngineApi
from lab.plugins.resource import ResourceType, Values
from lab.plugins.shape import Field, Labels, Shape


class _SwarmFile(ResourceType):
    """What configs and secrets have in common; `path` is where the API keeps them."""

    autonamed = True
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
        return inputs

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it."""
        made = self._engine.call("POST", f"{self.path}/create", json=self.shape.to_api(inputs))
        return made["ID"], inputs

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:
        """Whether it is there: it cannot have changed."""
        return (inputs, properties) if self._engine.find(f"{self.path}/{identifier}") else None

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it; the Engine refuses while a service uses it."""
        self._engine.call("DELETE", f"{self.path}/{identifier}")


class ServiceConfig(_SwarmFile):
    """A Swarm config."""

    path = "/configs"
    shape = Shape(
        "config",
        {
            "name": Field("Name", replaces=True),
            "data": Field("Data", required=True, replaces=True),
            "labels": Field("Labels", Labels(), replaces=True),
        },
    )


class Secret(_SwarmFile):
    """A Swarm secret."""

    path = "/secrets"
    secret_properties = ("data",)
    shape = Shape(
        "secret",
        {
            "name": Field("Name", replaces=True),
            "data": Field("Data", required=True, replaces=True),
            "labels": Field("Labels", Labels(), replaces=True),
        },
    )
