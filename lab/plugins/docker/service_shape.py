"""The properties of a Swarm service, with their places in the Engine API's document.

Which change replaces the service: what the schema marks and the real provider was seen to do. The schema marks
`mode` as well, but scaling is done in place; only a change between replicated and global replaces.
"""

from collections.abc import Mapping
from typing import Any

from lab.plugins.shape import Codec, Duration, Environment, Field, Labels, Many, Shape, Text

_DURATION = Duration()


class _Mode(Codec):
    """`replicated` with a number, or `global`."""

    def to_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if value.get("global"):
            return {"Global": {}}
        return {"Replicated": {"Replicas": value.get("replicated", {}).get("replicas", 1)}}

    def from_api(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if "Global" in value:
            return {"global": True}
        return {"replicated": {"replicas": value["Replicated"]["Replicas"]}}

    def changes_kind(self, old: Any, new: Any) -> bool:  # noqa: ANN401 - the property may be missing or unknown
        return bool(isinstance(old, Mapping) and old.get("global")) != bool(
            isinstance(new, Mapping) and new.get("global")
        )


class _Preferences(Codec):
    """Descriptors to spread over: `node.id`, without the strategy's name."""

    def to_api(self, value: list[str]) -> list[dict[str, Any]]:
        return [{"Spread": {"SpreadDescriptor": item}} for item in value]

    def from_api(self, value: list[dict[str, Any]]) -> list[str]:
        return [item["Spread"]["SpreadDescriptor"] for item in value]


def _rollout(name: str) -> Shape:
    return Shape(
        name,
        {
            "delay": Field("Delay", _DURATION),
            "failureAction": Field("FailureAction"),
            "maxFailureRatio": Field("MaxFailureRatio", Text()),
            "monitor": Field("Monitor", _DURATION),
            "order": Field("Order"),
            "parallelism": Field("Parallelism"),
        },
    )


def _mounted(kind: str) -> Shape:
    """A config or a secret as a task sees it."""
    low = kind.lower()
    return Shape(
        f"service {low}",
        {
            f"{low}Id": Field(f"{kind}ID", required=True),
            f"{low}Name": Field(f"{kind}Name"),
            "fileName": Field("File.Name", required=True),
            "fileUid": Field("File.UID", default="0"),
            "fileGid": Field("File.GID", default="0"),
            "fileMode": Field("File.Mode", default=0o444),
        },
    )


_DRIVER = {"name": Field("Name", required=True), "options": Field("Options")}
_LIMITS = {"memoryBytes": Field("MemoryBytes"), "nanoCpus": Field("NanoCPUs")}

_MOUNT = Shape(
    "service mount",
    {
        "type": Field("Type", required=True),
        "source": Field("Source"),
        "target": Field("Target", required=True),
        "readOnly": Field("ReadOnly"),
        "bindOptions": Field("BindOptions", Shape("bind options", {"propagation": Field("Propagation")})),
        "tmpfsOptions": Field(
            "TmpfsOptions", Shape("tmpfs options", {"mode": Field("Mode"), "sizeBytes": Field("SizeBytes")})
        ),
        "volumeOptions": Field(
            "VolumeOptions",
            Shape(
                "volume options",
                {
                    "driverName": Field("DriverConfig.Name"),
                    "driverOptions": Field("DriverConfig.Options"),
                    "labels": Field("Labels", Labels(), replaces=True),
                    "noCopy": Field("NoCopy"),
                },
            ),
        ),
    },
)

_HEALTHCHECK = Shape(
    "service healthcheck",
    {
        "tests": Field("Test"),
        "interval": Field("Interval", _DURATION),
        "timeout": Field("Timeout", _DURATION),
        "startPeriod": Field("StartPeriod", _DURATION),
        "retries": Field("Retries"),
    },
)

_CONTAINER = Shape(
    "service container",
    {
        "image": Field("Image", required=True),
        "args": Field("Args"),
        "commands": Field("Command"),
        "capAdds": Field("CapabilityAdd"),
        "capDrops": Field("CapabilityDrop"),
        "configs": Field("Configs", Many(_mounted("Config"))),
        "secrets": Field("Secrets", Many(_mounted("Secret"))),
        "dir": Field("Dir"),
        "env": Field("Env", Environment()),
        "groups": Field("Groups"),
        "healthcheck": Field("Healthcheck", _HEALTHCHECK),
        "hostname": Field("Hostname"),
        "init": Field("Init"),
        "isolation": Field("Isolation"),
        "labels": Field("Labels", Labels(), replaces=True),
        "mounts": Field("Mounts", Many(_MOUNT)),
        "readOnly": Field("ReadOnly"),
        "stopGracePeriod": Field("StopGracePeriod", _DURATION),
        "stopSignal": Field("StopSignal"),
        "sysctl": Field("Sysctls", replaces=True),
        "user": Field("User"),
    },
)

_TASK = Shape(
    "service task",
    {
        "containerSpec": Field("ContainerSpec", _CONTAINER, required=True),
        "forceUpdate": Field("ForceUpdate"),
        "logDriver": Field("LogDriver", Shape("log driver", _DRIVER)),
        "networksAdvanceds": Field(
            "Networks",
            Many(
                Shape(
                    "service network",
                    {
                        "id": Field("Target", replaces=True),
                        "aliases": Field("Aliases", replaces=True),
                        "driverOpts": Field("DriverOpts", replaces=True),
                    },
                )
            ),
        ),
        "placement": Field(
            "Placement",
            Shape(
                "service placement",
                {
                    "constraints": Field("Constraints"),
                    "maxReplicas": Field("MaxReplicas"),
                    "prefs": Field("Preferences", _Preferences()),
                },
            ),
        ),
        "resources": Field(
            "Resources",
            Shape(
                "service resources",
                {
                    "limits": Field("Limits", Shape("limits", _LIMITS)),
                    "reservation": Field("Reservations", Shape("reservation", _LIMITS)),
                },
            ),
        ),
        "restartPolicy": Field(
            "RestartPolicy",
            Shape(
                "restart policy",
                {
                    "condition": Field("Condition"),
                    "delay": Field("Delay", _DURATION),
                    "maxAttempts": Field("MaxAttempts"),
                    "window": Field("Window", _DURATION),
                },
            ),
        ),
        "runtime": Field("Runtime"),
    },
)

_PORT = Shape(
    "service port",
    {
        "name": Field("Name"),
        "protocol": Field("Protocol"),
        "publishMode": Field("PublishMode"),
        "publishedPort": Field("PublishedPort"),
        "targetPort": Field("TargetPort", required=True),
    },
)

SERVICE = Shape(
    "service",
    {
        "name": Field("Name", replaces=True),
        "labels": Field("Labels", Labels()),
        "mode": Field("Mode", _Mode()),
        "taskSpec": Field("TaskTemplate", _TASK, required=True),
        "endpointSpec": Field(
            "EndpointSpec", Shape("endpoint", {"mode": Field("Mode"), "ports": Field("Ports", Many(_PORT))})
        ),
        "updateConfig": Field("UpdateConfig", _rollout("update config")),
        "rollbackConfig": Field("RollbackConfig", _rollout("rollback config")),
    },
)
"""`auth`, `convergeConfig`, and the nested properties that nothing here uses are left out, and so refused."""
