"""The swarm: which hosts are in it, as what, and how they come and go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command.local import Command

from components import commands
from components.host import Host


@dataclass(frozen=True, kw_only=True)
class SwarmClusterArgs:
    """The hosts, the first manager among them commanding; `stack` marks the swarm as ours.

    `data_hosts` is the name of the host that holds each kind of data.
    """

    hosts: Sequence[Host]
    stack: str
    data_hosts: Mapping[str, str]
    drain_timeout: int = 600
    """Seconds that a host's tasks get to end when it is removed."""


class SwarmCluster(pulumi.ComponentResource):
    """Makes the swarm on the first manager, joins the others, keeps their roles and labels.

    A host taken off the list is drained, taken off the swarm, and leaves. It refuses to adopt a swarm that
    another stack or person made.
    """

    node_ids: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, args: SwarmClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:swarm:SwarmCluster", name, {}, opts)
        self._args = args
        self.hosts = args.hosts
        self.seed = next(host for host in args.hosts if host.args.role == "manager")
        founded = self._create_membership(self.seed, create=commands.init_swarm(
            address=self.seed.target.address, stack=args.stack
        ))  # fmt: skip
        seed_node = self._create_node(self.seed, founded, after=[])
        tokens = self._create_tokens(founded)
        self.node_of = {self.seed.target.name: seed_node}
        ids = {self.seed.target.name: founded.stdout}
        for host in args.hosts:
            if host is self.seed:
                continue
            joined = self._create_membership(host, create=commands.join_swarm(), stdin=self._join_request(host, tokens))
            # Nodes are retired by the first manager, which is therefore retired last.
            self.node_of[host.target.name] = self._create_node(host, joined, after=[seed_node])
            ids[host.target.name] = joined.stdout
        self.nodes = list(self.node_of.values())
        self.node_ids = pulumi.Output.all(**ids)
        self.register_outputs({"node_ids": self.node_ids})

    def on_manager(
        self,
        parent: pulumi.Resource,
        *,
        fixed_name: bool = False,
        after: Sequence[pulumi.Resource] = (),
        ignore_changes: Sequence[str] = (),
    ) -> pulumi.ResourceOptions:
        """Options of a resource that only the finished swarm has: made through the first manager, `after` others.

        A resource with a fixed name is deleted before its replacement is created.
        """
        return pulumi.ResourceOptions(
            parent=parent,
            provider=self.seed.provider,
            depends_on=[*self.nodes, *after],
            delete_before_replace=fixed_name or None,
            ignore_changes=list(ignore_changes),
        )

    def _create_membership(self, host: Host, *, create: str, stdin: pulumi.Output[str] | None = None) -> Command:
        return host.command(
            f"{host.target.name}-membership",
            parent=self,
            create=create,
            stdin=stdin,
            delete=commands.leave_swarm(),
            after=[host.images],
        )

    def _create_tokens(self, founded: Command) -> Command:
        return self.seed.command(
            "join-tokens", parent=self, create=commands.print_join_tokens(), prints_secret=True, after=[founded]
        )

    def _join_request(self, host: Host, tokens: Command) -> pulumi.Output[str]:
        request = pulumi.Output.json_loads(tokens.stdout).apply(
            lambda by_role: commands.join_request(
                address=host.target.address,
                manager_address=self.seed.target.address,
                token=by_role[host.args.role],
            )
        )
        return pulumi.Output.secret(request)

    def _create_node(self, host: Host, membership: Command, *, after: Sequence[pulumi.Resource]) -> Command:
        held = sorted(kind for kind, name in self._args.data_hosts.items() if name == host.target.name)
        labels = {
            **host.args.labels,
            commands.CLUSTER_LABEL: self._args.stack,
            commands.HOST_LABEL: host.target.name,
            **({commands.HOLDS_LABEL: ",".join(held)} if held else {}),
        }
        return self.seed.command(
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
