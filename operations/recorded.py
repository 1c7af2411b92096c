"""Reads from Pulumi's state what the last `pulumi up` made by commands on hosts: nodes, volumes and firewalls.

Pulumi cannot read these back. But its state has each command's script, and a script begins with its inputs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.commands import FIREWALL
from components.shell import variables_and_arguments
from operations.stack import OperationError, pulumi

_COMMAND = "command:local:Command"
_SERVICE = "docker:index/service:Service"


@dataclass(frozen=True, kw_only=True)
class WantedNode:
    """A node of the swarm, with its role and all its labels. `host` is the host's name in the settings."""

    host: str
    id: str
    role: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class WantedVolume:
    """A volume, its host's address, its owner's number, and an image with a `chown`."""

    address: str
    name: str
    owner: str
    image: str


@dataclass(frozen=True)
class Recorded:
    """The nodes, the volumes, the ids of the services, and the URN of each host's firewall by the host's name."""

    nodes: Sequence[WantedNode]
    volumes: Sequence[WantedVolume]
    services: frozenset[str]
    firewalls: Mapping[str, str]


def recorded() -> Recorded:
    """Return what is in the state of the selected stack.

    Raises:
        OperationError: no stack is selected, or it has no node.
    """
    found = parse(json.loads(pulumi("stack", "export")))
    if not found.nodes:
        raise OperationError("the stack has no nodes: run `pulumi up` first")
    return found


def parse(exported: Mapping[str, Any]) -> Recorded:
    """Return what is in the exported state."""
    nodes, volumes, services, firewalls = [], [], [], {}
    for resource in exported["deployment"].get("resources", []):
        if resource.get("delete"):
            continue  # its deletion failed, and the next `pulumi up` repeats it
        inputs = resource.get("inputs", {})
        if resource["type"] == _SERVICE:
            services.append(resource["id"])
        if resource["type"] != _COMMAND or not isinstance(inputs.get("create"), str):
            continue
        variables, arguments = variables_and_arguments(inputs["create"])
        name = resource["urn"].rpartition("::")[2]
        if name.endswith("-node") and "ROLE" in variables:
            nodes.append(
                WantedNode(
                    host=name.removesuffix("-node"),
                    id=variables["NODE"],
                    role=variables["ROLE"],
                    labels=dict(label.split("=", 1) for label in arguments),
                )
            )
        elif variables.get("NAME") == FIREWALL:
            firewalls[variables["HOST"]] = resource["urn"]
        elif variables.keys() == {"VOLUME", "OWNER", "IMAGE"}:
            volumes.append(
                WantedVolume(
                    address=inputs["interpreter"][-1].rpartition("@")[2],
                    name=variables["VOLUME"],
                    owner=variables["OWNER"],
                    image=variables["IMAGE"],
                )
            )
    return Recorded(nodes, volumes, frozenset(services), firewalls)
