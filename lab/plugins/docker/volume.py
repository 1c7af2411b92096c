"""The resource type docker:index/volume:Volume."""

from lab.plugins.bridged import BridgedType
from lab.plugins.docker.engine_api import EngineApi, retry_while
from lab.plugins.resource import Values
from lab.plugins.shape import Field, Labels, Shape, blocks, table, text


class Volume(BridgedType):
    """A volume on one engine. Its id is its name."""

    shape = Shape(
        "volume",
        {
            "name": text("Name", replaces=True),
            "driver": text("Driver", replaces=True, computed=True),
            "driverOpts": table("Options", replaces=True),
            "labels": blocks("Labels", Labels(replaces=True), replaces=True),
            "mountpoint": text("Mountpoint", output=True),
            "cluster": Field(output=True),
        },
    )

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it. The Engine keeps an existing volume of this name as it is."""
        document = self.shape.to_api(inputs)
        # The Engine accepts the options under one name, and returns them under another.
        if "Options" in document:
            document["DriverOpts"] = document.pop("Options")
        made = self._engine.call("POST", "/volumes/create", json=document)
        return made["Name"], self.state_after_change(made["Name"], made, inputs, {})

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        """Return what the engine has."""
        volume = self._engine.find(f"/volumes/{identifier}")
        return self.refreshed(identifier, volume, inputs) if volume else None

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it with its data, once no container uses it."""
        retry_while(("volume is in use",), lambda: self._engine.call("DELETE", f"/volumes/{identifier}"))
