"""Small files that Swarm hands to tasks: configs and secrets.

Both are immutable in Swarm. Their names are left to Pulumi's autonaming, so that a change makes the new one, moves
the service, and deletes the old one.
"""

import base64
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.swarm import SwarmCluster

_MAX_CONFIG_BYTES = 1000 * 1000
_MAX_SECRET_BYTES = 500 * 1000
_MAX_LOGICAL_NAME = 48  # Swarm allows names of 64 characters; autonaming adds 8


@dataclass(frozen=True, kw_only=True)
class SwarmFileArgs:
    """`content` appears in a task at `path`, readable by everyone in it."""

    cluster: SwarmCluster
    content: str
    path: str


class SwarmFile(pulumi.ComponentResource):
    """A Swarm config of at most 1,000,000 bytes.

    Raises:
        ValueError: the content or the logical name is too long for Swarm.
    """

    def __init__(self, name: str, args: SwarmFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:file:SwarmFile", name, {}, opts)
        _check_name(name)
        self.content = args.content
        config = docker.ServiceConfig(
            name,
            data=_encode(args.content, limit=_MAX_CONFIG_BYTES, name=name),
            opts=args.cluster.on_manager(self),
        )
        self.mounted = docker.ServiceTaskSpecContainerSpecConfigArgs(
            config_id=config.id, config_name=config.name, file_name=args.path, file_mode=0o444
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class SwarmSecretArgs:
    """`content` appears in a task at /run/secrets/`file_name`, readable by user `uid` only."""

    cluster: SwarmCluster
    content: pulumi.Output[str]
    file_name: str
    uid: int


class SwarmSecret(pulumi.ComponentResource):
    """A Swarm secret of at most 500,000 bytes; its content stays encrypted in Pulumi's state.

    Raises:
        ValueError: the content or the logical name is too long for Swarm.
    """

    def __init__(self, name: str, args: SwarmSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:file:SwarmSecret", name, {}, opts)
        _check_name(name)
        encoded: pulumi.Output[str] = args.content.apply(
            lambda content: _encode(content, limit=_MAX_SECRET_BYTES, name=name)
        )
        secret = docker.Secret(
            name,
            data=encoded,
            opts=args.cluster.on_manager(self),
        )
        self.mounted = docker.ServiceTaskSpecContainerSpecSecretArgs(
            secret_id=secret.id,
            secret_name=secret.name,
            file_name=args.file_name,
            file_uid=str(args.uid),
            file_gid=str(args.uid),
            file_mode=0o400,
        )
        self.register_outputs({})


def _check_name(name: str) -> None:
    if len(name) > _MAX_LOGICAL_NAME:
        raise ValueError(f"name «{name}» has {len(name)} characters: use at most {_MAX_LOGICAL_NAME}")


def _encode(content: str, *, limit: int, name: str) -> str:
    raw = content.encode()
    if len(raw) > limit:
        raise ValueError(f"content of «{name}» has {len(raw)} bytes: Swarm takes at most {limit}")
    return base64.b64encode(raw).decode()
