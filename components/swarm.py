"""The swarm: which hosts are in it, their roles and labels, and how they join and leave."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

import pulumi
from pulumi_command.local import Command

from . import commands, images, preflight
from .host import Host
from .probe import Probe
from .registry import Registry

_ROUNDS = 10
"""How many rounds of replaced tasks the setting `ready_timeout` is for."""


@dataclass(frozen=True, kw_only=True)
class SwarmClusterArgs:
    """The first manager among `hosts` runs the swarm's commands. The name `stack` marks the swarm as ours.

    `gone` are the names of hosts that are gone for good: their nodes are removed from the swarm.

    With `autolock`, a manager whose Engine has started again takes no part in the swarm until it gets the key.

    No host joins before the resources in `before_joining` exist.

    `data_hosts` maps each kind of data to the names of its hosts. `storage` says where the files are. The nodes' labels
    keep both.

    Every component finds the rest here: `registry` is where our own images are pushed; without one, they are built on
    every host that runs them. `pool` is what Docker takes the subnets of its own networks from, if it is not to be its
    default. `volume_image` is any image with a `chown`. `ready_timeout` is how long `pulumi up` waits for a service to
    run as configured, in seconds. `patience` multiplies this, all times of health checks, and
    how long a node may be silent before it counts as down.
    """

    hosts: Sequence[Host]
    stack: str
    data_hosts: Mapping[str, Collection[str]] = field(default_factory=dict)
    storage: str = ""
    gone: Sequence[str] = ()
    autolock: bool = False
    before_joining: Sequence[pulumi.Resource] = ()
    volume_image: str = images.HAPROXY
    ready_timeout: int = 300
    patience: int = 1
    pool: IPv4Network | None = None
    registry: Registry | None = None
    drain_timeout: int = 600
    """How long a removed host's tasks may take to end, in seconds."""


class SwarmCluster(pulumi.ComponentResource):
    """Creates the swarm on the first manager, joins the other hosts, and maintains all roles and labels.

    A host that is no longer on the list is drained, removed from the swarm, and leaves it. The component refuses to
    adopt a swarm that it did not create.
    """

    node_ids: pulumi.Output[dict[str, str]]
    unlock_key: pulumi.Output[str] | None
    """A secret: what unlocks a manager."""

    def __init__(self, name: str, args: SwarmClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:swarm:SwarmCluster", name, {}, opts)
        self._args = args
        self.hosts = args.hosts
        self.volume_image = args.volume_image
        self.patience = args.patience
        self.registry = args.registry
        self.first_manager = next(host for host in args.hosts if host.args.role == "manager")
        # Not the host's own provider: if another manager becomes the first, this one gets its address. What the swarm
        # no longer needs is then deleted through it, even if the earlier first manager is gone.
        self._provider = self.first_manager.engine(f"{name}-engine", parent=self)
        membership = self._create_membership(
            self.first_manager,
            create=_with(
                self.first_manager.cluster_address,
                lambda address: commands.init_swarm(
                    address=address, stack=args.stack, pool=args.pool, patience=args.patience
                ),
            ),
        )
        first_node = self._create_node(self.first_manager, membership, after=[])
        for lost in args.gone:
            self.first_manager.command(
                f"{lost}-forgotten", parent=self, create=commands.forget_node(host=lost), after=[first_node]
            )
        self.node_of = {self.first_manager.target.name: first_node}
        ids = {self.first_manager.target.name: membership.stdout}
        for host in args.hosts:
            if host is self.first_manager:
                continue
            membership = self._create_membership(
                host, create=commands.join_swarm(), stdin=self._join_request(host, after=first_node)
            )
            # The first manager retires the other nodes, so it must be retired last.
            self.node_of[host.target.name] = self._create_node(host, membership, after=[first_node])
            ids[host.target.name] = membership.stdout
        self.nodes = list(self.node_of.values())
        self.node_ids = pulumi.Output.all(**ids)
        # Pulumi's state has the tokens with which hosts have joined. After this, nobody can join with them.
        self.first_manager.command(
            f"{name}-join-tokens",
            parent=self,
            create=self.node_ids.apply(
                lambda known: commands.rotate_join_tokens(
                    {known[host.target.name]: host.args.role for host in args.hosts}
                )
            ),
            after=self.nodes,
        )
        self.unlock_key = self._lock(name) if args.autolock else None
        self.register_outputs({"node_ids": self.node_ids})

    def ready_timeout(self, *, rounds: int = 1) -> int:
        """Return how long to wait for a service whose tasks are replaced in this many rounds, in seconds."""
        return wait_seconds(self._args.ready_timeout, patience=self._args.patience, rounds=rounds)

    def host(self, name: str) -> Host:
        """Return the host of this name."""
        return next(host for host in self.hosts if host.target.name == name)

    def on_manager(
        self,
        parent: pulumi.Resource,
        *,
        fixed_name: bool = False,
        after: Sequence[pulumi.Resource] = (),
        ignore_changes: Sequence[str] = (),
    ) -> pulumi.ResourceOptions:
        """Return options for a resource that the first manager creates once all nodes have joined and `after` exist.

        A resource with a fixed name is deleted before its replacement is created.
        """
        return pulumi.ResourceOptions(
            parent=parent,
            provider=self._provider,
            depends_on=[*self.nodes, *after],
            delete_before_replace=fixed_name or None,
            ignore_changes=list(ignore_changes),
        )

    def _lock(self, name: str) -> pulumi.Output[str]:
        locked = self.first_manager.command(
            f"{name}-lock",
            parent=self,
            create=commands.lock_swarm(),
            delete=commands.stop_locking_swarm(),
            prints_secret=True,
            replaced_after_deletion=True,  # so that `pulumi up --replace` makes another key
            after=self.nodes,
        )
        return pulumi.Output.secret(locked.stdout.apply(str.strip))

    def _create_membership(
        self, host: Host, *, create: pulumi.Input[str], stdin: pulumi.Output[str] | None = None
    ) -> Command:
        return host.command(
            f"{host.target.name}-membership",
            parent=self,
            create=create if host.probe is None else self._once_admitted(host, host.probe, create),
            stdin=stdin,
            delete=commands.leave_swarm(),
            after=[host.removal, *self._args.before_joining],
        )

    def _once_admitted(
        self, host: Host, probe: pulumi.Output[Probe | None], script: pulumi.Input[str]
    ) -> pulumi.Output[str]:
        """Return the script once it is sure that the host, which the program has created, is in no other swarm."""
        manager = self.first_manager

        async def admit(known: Sequence[Any]) -> str:
            text, found, first, address = known
            if found is not None:
                check = preflight.check_membership
                await asyncio.to_thread(check, host.target.name, found, first, address=address, stack=self._args.stack)
            return str(text)

        return pulumi.Output.all(script, probe, manager.reached, manager.cluster_address).apply(admit)

    def _join_request(self, host: Host, *, after: Command) -> pulumi.Output[str]:
        """Return the request with which the host joins. Its token is read when it joins, and rotated afterwards."""
        token = self.first_manager.command(
            f"{host.target.name}-token",
            parent=self,
            create=commands.print_join_token(host.args.role),
            prints_secret=True,
            after=[after],
        )
        addresses = (host.cluster_address, self.first_manager.cluster_address)
        request = pulumi.Output.all(token.stdout, *addresses).apply(
            lambda known: commands.join_request(address=known[1], manager_address=known[2], token=known[0].strip())
        )
        return pulumi.Output.secret(request)

    def _create_node(self, host: Host, membership: Command, *, after: Sequence[pulumi.Resource]) -> Command:
        held = sorted(kind for kind, names in self._args.data_hosts.items() if host.target.name in names)
        labels = {
            **host.args.labels,
            commands.CLUSTER_LABEL: self._args.stack,
            commands.HOST_LABEL: host.target.name,
            **({commands.HOLDS_LABEL: ",".join(held)} if held else {}),
            **({commands.STORAGE_LABEL: self._args.storage} if self._args.storage else {}),
        }
        return self.first_manager.command(
            f"{host.target.name}-node",
            parent=self,
            create=membership.stdout.apply(
                lambda node_id: commands.configure_node(node_id=node_id, role=host.args.role, labels=labels)
            ),
            delete=membership.stdout.apply(
                lambda node_id: commands.retire_node(node_id=node_id, drain_timeout=self._args.drain_timeout)
            ),
            after=[membership, *after],
        )


def _with(address: str | pulumi.Output[str], script: Callable[[str], str]) -> str | pulumi.Output[str]:
    """Return the script with the address: at once, if it is known."""
    return script(address) if isinstance(address, str) else address.apply(script)


def wait_seconds(ready_timeout: int, *, patience: int, rounds: int) -> int:
    """Return how long to wait for a service, if `ready_timeout` seconds are enough for ten rounds of replaced tasks."""
    return ready_timeout * patience * max(1, -(-rounds // _ROUNDS))
