"""The properties of a Swarm service, with their paths in the Engine API's document.

Only a change of a property that is marked `replaces` replaces the service. A change of `mode` is an update, as in the
real provider, although Swarm refuses to turn a replicated service into a global one.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lab.plugins.codecs import Codec, Duration, Environment, FileMode, Ratio
from lab.plugins.shape import (
    Field,
    Labels,
    ListOf,
    SetOf,
    Shape,
    blocks,
    flag,
    number,
    strings,
    table,
    text,
)

_DURATION = Duration()
_zero_time = partial(Field, codec=_DURATION, empty="0s", default="0s")


class _Mode(Shape):
    """`replicated` with a number, or `global`. The API's document has one key, which says which."""

    def to_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if value.get("global"):
            return {"Global": {}}
        return {"Replicated": {"Replicas": (value.get("replicated") or {}).get("replicas", 1)}}

    def from_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if "Global" in value:
            return {"global": True, "replicated": None}
        return {"global": False, "replicated": {"replicas": value["Replicated"]["Replicas"]}}


class _Preference(Codec):
    """A descriptor to spread over, such as `node.id`, without the name of the strategy."""

    def to_api(self, value: str) -> dict[str, Any]:
        return {"Spread": {"SpreadDescriptor": value}}

    def from_api(self, value: Mapping[str, Any]) -> str:
        return str(value["Spread"]["SpreadDescriptor"])


class _Hosts(SetOf):
    """Lines "ADDRESS NAME" in the API, objects in an input."""

    def __init__(self) -> None:
        super().__init__(Shape("service host", {key: text(required=True, replaces=True) for key in ("host", "ip")}))

    def to_api(self, value: Sequence[Mapping[str, str]]) -> list[str]:
        return [f"{item['ip']} {item['host']}" for item in value]

    def from_api(self, value: Sequence[str]) -> list[dict[str, str]]:
        hosts = [dict(zip(("ip", "host"), line.split(" ")[:2], strict=True)) for line in value]
        return sorted(hosts, key=self.text)


class _DriverOptions(SetOf):
    """A map in the API, KEY=VALUE texts in an input."""

    def to_api(self, value: Sequence[str]) -> Any:  # noqa: ANN401 - a map, where the base class has a list
        return Environment().from_api(value)

    def from_api(self, value: Any) -> list[str]:  # noqa: ANN401 - as above
        return Environment().to_api(value)


def _rollout(name: str) -> Shape:
    return Shape(
        name,
        {
            "delay": _zero_time("Delay"),
            "failureAction": text("FailureAction", default="pause"),
            "maxFailureRatio": Field("MaxFailureRatio", Ratio(), empty="0.0", default="0.0"),
            "monitor": Field("Monitor", _DURATION, empty="0s", default="5s"),
            "order": text("Order", default="stop-first"),
            "parallelism": number("Parallelism", default=1),
        },
    )


def _mounted(kind: str) -> SetOf:
    """Configs or secrets as a task sees them."""
    low = kind.lower()
    return SetOf(
        Shape(
            f"service {low}",
            {
                f"{low}Id": text(f"{kind}ID", required=True),
                f"{low}Name": text(f"{kind}Name"),
                "fileName": text("File.Name", required=True),
                "fileUid": text("File.UID", default="0"),
                "fileGid": text("File.GID", default="0"),
                "fileMode": number("File.Mode", default=0o444),
            },
        )
    )


_LIMITS = {"memoryBytes": number("MemoryBytes"), "nanoCpus": number("NanoCPUs")}

_BIND_OPTIONS = Shape("bind options", {"propagation": text("Propagation", default="rprivate")})

_TMPFS_OPTIONS = Shape("tmpfs options", {"mode": number("Mode", FileMode()), "sizeBytes": number("SizeBytes")})

_VOLUME_OPTIONS = Shape(
    "volume options",
    {
        "driverName": text("DriverConfig.Name"),
        "driverOptions": table("DriverConfig.Options"),
        "labels": blocks("Labels", Labels(replaces=True)),
        "noCopy": flag("NoCopy"),
    },
)

_MOUNT = Shape(
    "service mount",
    {
        "type": text("Type", required=True),
        "source": text("Source"),
        "target": text("Target", required=True),
        "readOnly": flag("ReadOnly", unset=None),
        "bindOptions": Field("BindOptions", _BIND_OPTIONS),
        "tmpfsOptions": Field("TmpfsOptions", _TMPFS_OPTIONS),
        "volumeOptions": Field("VolumeOptions", _VOLUME_OPTIONS),
    },
)

_HEALTHCHECK = Shape(
    "service healthcheck",
    {
        "tests": strings("Test"),
        "interval": _zero_time("Interval"),
        "timeout": _zero_time("Timeout"),
        "startPeriod": _zero_time("StartPeriod"),
        "retries": number("Retries", default=0),
    },
)

_DNS = Shape(
    "service dns",
    {
        "nameservers": Field("Nameservers", required=True),
        "options": Field("Options"),
        "searches": Field("Search"),
    },
)

_CONTAINER = Shape(
    "service container",
    {
        "image": text("Image", required=True),
        "args": strings("Args"),
        "commands": strings("Command"),
        "capAdds": strings("CapabilityAdd"),
        "capDrops": strings("CapabilityDrop"),
        "configs": blocks("Configs", _mounted("Config")),
        "secrets": blocks("Secrets", _mounted("Secret")),
        "dir": text("Dir"),
        "dnsConfig": Field("DNSConfig", _DNS, computed=True),
        "env": table("Env", Environment()),
        "groups": strings("Groups"),
        "healthcheck": Field("Healthcheck", _HEALTHCHECK, computed=True),
        "hostname": text("Hostname"),
        "hosts": blocks("Hosts", _Hosts(), replaces=True),
        "init": flag("Init", computed=True),
        "isolation": text("Isolation", default="default"),
        "labels": blocks("Labels", Labels(replaces=True)),
        "mounts": blocks("Mounts", SetOf(_MOUNT)),
        "privileges": Field(output=True),
        "readOnly": flag("ReadOnly"),
        "stopGracePeriod": text("StopGracePeriod", _DURATION, computed=True),
        "stopSignal": text("StopSignal"),
        "sysctl": table("Sysctls", replaces=True),
        "user": text("User"),
    },
)

_NETWORK = Shape(
    "service network",
    {
        "id": text("Target", replaces=True),
        "name": text(output=True),
        "aliases": blocks("Aliases", SetOf(Codec()), replaces=True),
        "driverOpts": blocks("DriverOpts", _DriverOptions(Codec()), replaces=True),
    },
)

_PLATFORM = Shape("platform", {"architecture": text("Architecture"), "os": text("OS")})

_PLACEMENT = Shape(
    "service placement",
    {
        "constraints": strings("Constraints", SetOf(Codec())),
        "maxReplicas": number("MaxReplicas"),
        # The Engine fills them in from the image's registry. The real provider sees them only at a refresh.
        "platforms": blocks("Platforms", SetOf(_PLATFORM), unset=[]),
        "prefs": strings("Preferences", SetOf(_Preference())),
    },
)

_RESOURCES = Shape(
    "service resources",
    {
        "limits": Field("Limits", Shape("limits", _LIMITS)),
        "reservation": Field("Reservations", Shape("reservation", {**_LIMITS, "genericResources": Field(output=True)})),
    },
)

_RESTART_POLICY = Shape(
    "restart policy",
    {
        "condition": text("Condition"),
        "delay": text("Delay", _DURATION),
        "maxAttempts": number("MaxAttempts"),
        "window": text("Window", _DURATION),
    },
)

_TASK = Shape(
    "service task",
    {
        "containerSpec": Field("ContainerSpec", _CONTAINER, required=True),
        "forceUpdate": number("ForceUpdate", computed=True),
        "logDriver": Field(
            "LogDriver", Shape("log driver", {"name": text("Name", required=True), "options": table("Options")})
        ),
        "networksAdvanceds": blocks("Networks", SetOf(_NETWORK)),
        "placement": Field("Placement", _PLACEMENT, computed=True),
        "resources": Field("Resources", _RESOURCES, computed=True),
        "restartPolicy": Field("RestartPolicy", _RESTART_POLICY, computed=True),
        "runtime": text("Runtime", computed=True),
    },
)

_PORT = Shape(
    "service port",
    {
        "name": text("Name"),
        "protocol": text("Protocol", default="tcp"),
        "publishMode": text("PublishMode", default="ingress"),
        "publishedPort": number("PublishedPort", computed=True),
        "targetPort": number("TargetPort", required=True),
    },
)

_ENDPOINT = Shape("endpoint", {"mode": text("Mode", computed=True), "ports": blocks("Ports", ListOf(_PORT))})

_MODE = _Mode(
    "mode",
    {
        "global": flag(),
        "replicated": Field(codec=Shape("replicated", {"replicas": number(default=1)}), computed=True),
    },
)

SERVICE = Shape(
    "service",
    {
        "name": text("Name", replaces=True),
        "labels": blocks("Labels", Labels(), computed=True),
        "mode": Field("Mode", _MODE, computed=True),
        "taskSpec": Field("TaskTemplate", _TASK, required=True),
        "endpointSpec": Field("EndpointSpec", _ENDPOINT, computed=True),
        "updateConfig": Field("UpdateConfig", _rollout("update config")),
        "rollbackConfig": Field("RollbackConfig", _rollout("rollback config")),
        "auth": Field(output=True),
        "convergeConfig": Field(output=True),
    },
)
