"""docker:index/network:Network: everything about it is fixed when it is made."""

from lab.plugins.docker.engine_api import EngineApi, retry_while
from lab.plugins.resource import ResourceType, Values, unknown
from lab.plugins.shape import Field, Labels, Many, Shape

_IPAM = Shape(
    "network ipam config",
    {
        "subnet": Field("Subnet", replaces=True),
        "gateway": Field("Gateway", replaces=True),
        "ipRange": Field("IPRange", replaces=True),
        "auxAddress": Field("AuxiliaryAddresses", replaces=True),
    },
)


class Network(ResourceType):
    """A network; a refresh finds the gateway that the engine chose, which then counts as a difference."""

    autonamed = True
    shape = Shape(
        "network",
        {
            "name": Field("Name", replaces=True),
            "driver": Field("Driver", replaces=True),
            "attachable": Field("Attachable", replaces=True),
            "ingress": Field("Ingress", replaces=True),
            "internal": Field("Internal", replaces=True),
            "ipv6": Field("EnableIPv6", replaces=True),
            "ipamDriver": Field("IPAM.Driver", replaces=True),
            "ipamConfigs": Field("IPAM.Config", Many(_IPAM), replaces=True),
            "ipamOptions": Field("IPAM.Options", replaces=True),
            "labels": Field("Labels", Labels(), replaces=True),
            "options": Field("Options", replaces=True),
        },
    )

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def preview(self, inputs: Values) -> Values:
        """The scope is the driver's."""
        return unknown(inputs, "scope")

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it."""
        made = self._engine.call("POST", "/networks/create", json=self.shape.to_api(inputs))
        scope = self._engine.call("GET", f"/networks/{made['Id']}")["Scope"]
        return made["Id"], {**inputs, "scope": scope}

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        """What the engine has, its own choices of addresses among it."""
        network = self._engine.find(f"/networks/{identifier}")
        if network is None:
            return None
        live = self.shape.from_api(network)
        seen = self.shape.seen({key: value for key, value in inputs.items() if key != "options"}, live)
        # The driver adds options of its own (its VXLAN number); those that were asked for cannot change.
        seen |= {key: value for key, value in inputs.items() if key == "options"}
        seen["ipamConfigs"] = live["ipamConfigs"]
        return seen, {**seen, "scope": network["Scope"]}

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it, once the last task has left."""
        words = ("has active endpoints", "is in use by task", "is in use by service")
        retry_while(words, lambda: self._engine.call("DELETE", f"/networks/{identifier}"))
