"""Small files that Swarm mounts in tasks: configs and secrets.

Both are immutable in Swarm. Pulumi names them automatically, so that a change creates a new one, moves the service to
it, and deletes the old one.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from .swarm import SwarmCluster

_MAX_CONFIG_BYTES = 1000 * 1000
_MAX_SECRET_BYTES = 500 * 1000
_MAX_LOGICAL_NAME = 56  # Swarm allows names of 64 characters; autonaming adds 8


@dataclass(frozen=True, kw_only=True)
class SwarmFileArgs:
    """`content` appears in a task at `path`, readable by every user."""

    cluster: SwarmCluster
    content: str
    path: str


class SwarmFile(pulumi.ComponentResource):
    """Creates a Swarm config of at most 1,000,000 bytes.

    Raises:
        ValueError: the content or the logical name is too long for Swarm.
    """

    def __init__(self, name: str, args: SwarmFileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:swarm_file:SwarmFile", name, {}, opts)
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
    """Creates a Swarm secret of at most 500,000 bytes. Pulumi's state has its content only encrypted.

    Raises:
        ValueError: the content or the logical name is too long for Swarm.
    """

    def __init__(self, name: str, args: SwarmSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:swarm_file:SwarmSecret", name, {}, opts)
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


def secret_files(
    name: str, contents: Mapping[str, pulumi.Output[str]], *, cluster: SwarmCluster, uid: int, parent: pulumi.Resource
) -> list[SwarmSecret]:
    """Create a secret for each of these contents by file name, readable by the user `uid` only.

    The secrets are called by `name` and the name of the file without its ending.
    """
    return [
        SwarmSecret(
            f"{name}-{file_name.partition('.')[0]}",
            SwarmSecretArgs(cluster=cluster, content=content, file_name=file_name, uid=uid),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        for file_name, content in contents.items()
    ]


def _check_name(name: str) -> None:
    if len(name) > _MAX_LOGICAL_NAME:
        raise ValueError(f'the name "{name}" has {len(name)} characters: use at most {_MAX_LOGICAL_NAME}')


def _encode(content: str, *, limit: int, name: str) -> str:
    raw = content.encode()
    if len(raw) > limit:
        raise ValueError(f'the content of "{name}" has {len(raw)} bytes: Swarm accepts at most {limit}, so shorten it')
    return base64.b64encode(raw).decode()
