"""One machine of the cluster, as resources reach it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_command as command
import pulumi_docker as docker

from components.commands import HOST_LABEL, remove_images
from components.ssh import SshTarget


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """How to reach the host, what it is in the swarm, and which upstream images are swept from it at the end."""

    target: SshTarget
    role: Literal["manager", "worker"]
    labels: Mapping[str, str] = field(default_factory=dict)
    upstream_images: tuple[str, ...] = ()


class Host(pulumi.ComponentResource):
    """The connection for commands and the Docker provider of one host: every resource there uses one of the two.

    It deliberately does not install anything: provisioning the machine is Vagrant's, or its owner's, business.
    """

    address: pulumi.Output[str]

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:host:Host", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.args = args
        self.target = args.target
        self.connection = command.remote.ConnectionArgs(
            host=args.target.address,
            user=args.target.user,
            private_key=pulumi.Output.secret(args.target.private_key_file.read_text()),
            host_key=args.target.host_key,
        )
        self.provider = docker.Provider(
            f"{name}-engine",
            host=f"ssh://{args.target.user}@{args.target.address}",
            ssh_opts=args.target.options,
            opts=child,
        )
        # Swarm pulls upstream images by itself, and nothing takes them away: what depends on the host is deleted
        # before this runs, so that the host is left as it was found.
        self.images = command.remote.Command(
            f"{name}-images",
            connection=self.connection,
            delete=remove_images(args.upstream_images),
            add_previous_output_in_env=False,
            opts=child,
        )
        self.only_here = f"node.labels.{HOST_LABEL}=={args.target.name}"
        """The placement constraint of a service that belongs on this host."""
        self.address = pulumi.Output.from_input(args.target.address)
        self.register_outputs({"address": self.address})
