"""The resource type docker:index/network:Network. Nothing about a network can change after it is created."""

from lab.plugins.bridged import BridgedType
from lab.plugins.docker.engine_api import EngineApi, retry_while
from lab.plugins.resource import Values
from lab.plugins.shape import Field, Labels, SetOf, Shape, blocks, flag, table, text

_IPAM = Shape(
    "network ipam config",
    {
        "subnet": text("Subnet", replaces=True),
        "gateway": text("Gateway", replaces=True),
        "ipRange": text("IPRange", replaces=True),
        "auxAddress": table("AuxiliaryAddresses", replaces=True),
    },
)


class Network(BridgedType):
    """A network. A gateway chosen by the engine counts as a difference, so a program should set it."""

    shape = Shape(
        "network",
        {
            "name": text("Name", replaces=True),
            "driver": text("Driver", replaces=True, computed=True),
            "attachable": flag("Attachable", replaces=True),
            "ingress": flag("Ingress", replaces=True),
            "internal": flag("Internal", replaces=True, computed=True),
            "ipv6": flag("EnableIPv6", replaces=True),
            "ipamDriver": text("IPAM.Driver", replaces=True, default="default"),
            "ipamConfigs": blocks("IPAM.Config", SetOf(_IPAM), replaces=True, computed=True),
            "ipamOptions": table("IPAM.Options", replaces=True),
            "labels": blocks("Labels", Labels(replaces=True), replaces=True),
            # The driver adds options of its own (its VXLAN number).
            "options": Field("Options", replaces=True, computed=True, empty={}),
            "scope": text("Scope", output=True),
        },
    )

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def create(self, inputs: Values, name: str) -> tuple[str, Values]:  # noqa: ARG002 - the name is an input
        """Create it."""
        identifier = self._engine.call("POST", "/networks/create", json=self.shape.to_api(inputs))["Id"]
        return identifier, self.state_after_change(
            identifier, self._engine.call("GET", f"/networks/{identifier}"), inputs, {}
        )

    def read(self, identifier: str, inputs: Values, properties: Values) -> tuple[Values, Values] | None:  # noqa: ARG002
        """Return what the engine has, including its own choices."""
        network = self._engine.find(f"/networks/{identifier}")
        return self.refreshed(identifier, network, inputs) if network else None

    def delete(self, identifier: str, properties: Values) -> None:  # noqa: ARG002 - the id says it all
        """Delete it, once the last task has left it."""
        words = ("has active endpoints", "is in use by task", "is in use by service")
        retry_while(words, lambda: self._engine.call("DELETE", f"/networks/{identifier}"))
