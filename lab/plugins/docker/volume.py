"""docker:index/volume:Volume."""

from lab.plugins.docker.engine_api import EngineApi, retry_while
from lab.plugins.resource import ResourceType, Values, unknown
from lab.plugins.shape import Field, Labels, Shape


class Volume(ResourceType):
    """A volume on one engine; its id is its name."""

    autonamed = True
    shape = Shape(
        "volume",
        {
            "name": Field("Name", replaces=True),
            "driver": Field("Driver", replaces=True, computed=True),
            "driverOpts": Field("DriverOpts", replaces=True),
            "labels": Field("Labels", Labels(), replaces=True),
        },
    )

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def preview(self, inputs: Values) -> Values:
        """Where it is kept is the driver's choice."""
        return unknown(inputs, "mountpoint")

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it; one of that name is taken as it is, as the Engine does."""
        made = self._engine.call("POST", "/volumes/create", json=self.shape.to_api(inputs))
        return made["Name"], {**inputs, "driver": made["Driver"], "mountpoint": made["Mountpoint"]}

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:
        """Whether it is there."""
        return (inputs, properties) if self._engine.find(f"/volumes/{identifier}") else None

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it with all it holds, once no container uses it."""
        retry_while(("volume is in use",), lambda: self._engine.call("DELETE", f"/volumes/{identifier}"))
