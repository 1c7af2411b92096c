"""etcd, where Patroni keeps which PostgreSQL is the primary, and which standby has every acknowledged change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from . import etcd_member, users
from .commands import forget_etcd, leave_etcd
from .host import Host
from .overlay import OverlayNetwork
from .single_writer import single_writer_service
from .swarm import SwarmCluster
from .swarm_file import SwarmSecret, secret_files
from .swarm_service import Healthcheck, Resources, SwarmServiceArgs

_HEAP_MIB = 56


@dataclass(frozen=True, kw_only=True)
class EtcdArgs:
    """`hosts` run one member each: one or three. `image` has etcd.

    `lost` are the names of hosts that are gone for good and may have been members. Certificates are made from the
    `seed`.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    hosts: Sequence[Host]
    image: pulumi.Input[str]
    seed: pulumi.Output[str]
    lost: Sequence[str] = ()


class Etcd(pulumi.ComponentResource):
    """Runs etcd, which answers programs with a certificate of its own authority only.

    A member on a new host joins the others, and one whose host is no longer named leaves them first, so the cluster
    stays the same. With a new, empty cluster Patroni could promote a standby that lacks acknowledged changes.
    """

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: EtcdArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:etcd:Etcd", name, {}, opts)
        self._args = args
        shared = self._secrets(
            name,
            {
                etcd_member.CLIENT_FILE: args.seed.apply(lambda seed: etcd_member.client_identity(seed).pem),
                etcd_member.AUTHORITY_FILE: args.seed.apply(lambda seed: etcd_member.client_identity(seed).authority),
            },
        )
        services = []
        for host in args.hosts:
            member = etcd_member.service_name(host.target.name)
            service = single_writer_service(
                member,
                SwarmServiceArgs(
                    cluster=args.cluster,
                    networks=[args.network],
                    image=args.image,
                    user=users.alone(users.ETCD),
                    command=etcd_member.command(member, first=host is args.hosts[0]),
                    aliases=[etcd_member.NAME],
                    secrets=[*shared, *self._secrets(member, {etcd_member.IDENTITY_FILE: self._identity(member)})],
                    # Go's garbage collector must know its limit, or the kernel kills the program first.
                    environment={"GOMEMLIMIT": f"{_HEAP_MIB}MiB"},
                    # The check must not need a majority. Members find each other by DNS names, which Swarm gives
                    # to healthy tasks only, so without a majority they would never become healthy.
                    # A member that waits for the cluster does not answer yet.
                    healthcheck=Healthcheck.by_wget(
                        etcd_member.METRICS_PORT, "/health?serializable=true", interval=2, start_period=120
                    ),
                    resources=Resources(cpus=0.5, memory=80, reserved_cpus=0.05, reserved_memory=40),
                ),
                host=host,
                data=etcd_member.DATA,
                parent=self,
            )
            host.command(f"{member}-leave", parent=self, delete=leave_etcd(member=member), after=[service.service])
            services.append(service)
        first = args.hosts[0]
        for lost in map(etcd_member.service_name, args.lost):
            forget = forget_etcd(lost=lost, member=etcd_member.service_name(first.target.name))
            first.command(
                f"{lost}-forgotten",
                parent=self,
                create=pulumi.Output.all(forget, services[0].ready).apply(lambda known: str(known[0])),
                after=[service.service for service in services],
            )
        self.ready = pulumi.Output.all(*[service.ready for service in services]).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})

    def _identity(self, member: str) -> pulumi.Output[str]:
        return self._args.seed.apply(lambda seed: etcd_member.member_identity(seed, member).pem)

    def _secrets(self, name: str, contents: Mapping[str, pulumi.Output[str]]) -> list[SwarmSecret]:
        return secret_files(name, contents, cluster=self._args.cluster, uid=users.ETCD, parent=self)
