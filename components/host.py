"""One machine of the cluster, and how Pulumi resources reach it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import pulumi
import pulumi_command as command
import pulumi_docker as docker

from . import preflight
from .commands import HOST_LABEL, pull_images, remove_images, remove_volume
from .created import CreatedTarget
from .probe import Probe
from .registry import Registry
from .ssh import SshTarget, interpreter

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """How to reach the host, its platform and its role in the swarm, and what to remove from it when it leaves.

    That is `upstream_images`, and the volume `scratch_volume`, which has no data: Swarm creates it with the first task
    that mounts it. `early_images` are pulled before anything else, for services whose old task must stop before the new
    one starts: it then waits for no pull. `registry` is where our own images are pulled from, if not built here.
    """

    target: SshTarget | CreatedTarget
    role: Literal["manager", "worker"]
    platform: str = "linux/amd64"
    labels: Mapping[str, str] = field(default_factory=dict)
    upstream_images: tuple[str, ...] = ()
    early_images: tuple[str, ...] = ()
    scratch_volume: str = ""
    registry: Registry | None = None


class Host(pulumi.ComponentResource):
    """Runs commands on one host and holds its Docker provider; every resource on the host uses one of the two.

    It deliberately does not install anything: provisioning the machine is up to Vagrant or to the machine's owner.

    If the program creates the machine, its address is unknown in the preview that shows its creation. Nothing runs on
    it before it has been checked: `reached` and `probe` resolve then, on every update. Other hosts have no `probe`,
    because they are checked before the program registers anything.
    """

    address: pulumi.Output[str]
    reached: pulumi.Output[SshTarget]
    cluster_address: str | pulumi.Output[str]
    probe: pulumi.Output[Probe | None] | None

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:host:Host", name, {}, opts)
        self.args = args
        self.target = args.target
        self.address = pulumi.Output.from_input(args.target.address)
        if isinstance(args.target, CreatedTarget):
            own = args.target.cluster_address
            self.cluster_address = args.target.address if own is None else own
            checked: pulumi.Output[tuple[SshTarget, Probe | None]] = pulumi.Output.all(
                args.target.known(), self.cluster_address
            ).apply(self._check_created)
            self.reached = checked.apply(lambda found: found[0])
            self.probe = checked.apply(lambda found: found[1])
        else:
            self.cluster_address = args.target.address
            self.reached = pulumi.Output.from_input(args.target)
            self.probe = None
        self.provider = self.engine(f"{name}-engine", parent=self)
        # Swarm pulls upstream images by itself and never removes them. This command is deleted after everything that
        # depends on the host, and then removes the images, so that the host is left as it was found.
        remove = remove_images(args.upstream_images)
        if args.scratch_volume:
            remove += remove_volume(volume=args.scratch_volume)
        pull = pull_images(args.early_images) if args.early_images else None
        self.removal = self.command(f"{name}-images", parent=self, create=pull, delete=remove)
        self.constraint = f"node.labels.{HOST_LABEL}=={args.target.name}"
        """The placement constraint that keeps a service on this host."""
        self.register_outputs({"address": self.address})

    def engine(self, name: str, *, parent: pulumi.Resource) -> docker.Provider:
        """Return a provider of this name for the host's Engine."""
        return docker.Provider(
            name,
            host=self._by_ssh(lambda target: f"ssh://{target.login}"),
            ssh_opts=self._by_ssh(lambda target: target.options),
            registry_auth=_logins(self.args.registry),
            opts=pulumi.ResourceOptions(parent=parent),
        )

    def command(
        self,
        name: str,
        *,
        parent: pulumi.Resource,
        create: pulumi.Input[str] | None = None,
        update: pulumi.Input[str] | None = None,
        delete: pulumi.Input[str] | None = None,
        stdin: pulumi.Input[str] | None = None,
        prints_secret: bool = False,
        replaced_after_deletion: bool = False,
        after: Sequence[pulumi.Resource] = (),
    ) -> command.local.Command:
        """Return a resource that runs shell scripts on this host when it is created, updated and deleted.

        The scripts run through the ssh client of the machine that runs Pulumi. So the operator's key stays in its
        file: it is not part of Pulumi's state, and another operator's key is not a change. With `prints_secret`, the
        scripts' output is stored as a secret and never shown. With `replaced_after_deletion`, a replacement is created
        only when the old one has been deleted. `after` are resources that must exist first.
        """
        return command.local.Command(
            name,
            interpreter=self._by_ssh(lambda target: interpreter(target, pulumi.get_stack())),
            create=create,
            update=update,
            delete=delete,
            stdin=stdin,
            logging=command.local.Logging.NONE if prints_secret else None,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=parent,
                depends_on=list(after),
                additional_secret_outputs=["stdout"] if prints_secret else None,
                delete_before_replace=replaced_after_deletion or None,
            ),
        )

    def _by_ssh(self, use: Callable[[SshTarget], _T]) -> pulumi.Input[_T]:
        """Return what depends on how the host is reached: at once, unless the program creates the host."""
        return use(self.target) if isinstance(self.target, SshTarget) else self.reached.apply(use)

    async def _check_created(self, known: Sequence[Any]) -> tuple[SshTarget, Probe | None]:
        """Wait until the machine can be used. A preview asks no host: there may be none, or the update replaces it."""
        target, address = known
        created = self.args.target
        if pulumi.runtime.is_dry_run() or not isinstance(created, CreatedTarget):
            return target, None
        probe = await asyncio.to_thread(
            preflight.check_created,
            target,
            address=address,
            platform=self.args.platform,
            networks=created.networks,
            timeout=created.boot_timeout,
        )
        return target, probe


def _logins(registry: Registry | None) -> list[docker.ProviderRegistryAuthArgs] | None:
    """Return the login that the provider sends with each service whose image is there.

    Swarm keeps it with the service, and gives it to the hosts that pull. An Engine's own login would not be used.
    """
    if registry is None or not registry.username:
        return None
    return [
        docker.ProviderRegistryAuthArgs(
            address=registry.address, username=registry.username, password=registry.password
        )
    ]
