"""The index of all files, in PostgreSQL on the cluster's own hosts, with the etcd that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from . import connections, patroni
from .etcd import Etcd, EtcdArgs
from .host import Host
from .image import ServiceImage, ServiceImageArgs
from .overlay import OverlayNetwork
from .postgres import Postgres, PostgresArgs
from .swarm import SwarmCluster


@dataclass(frozen=True, kw_only=True)
class IndexArgs:
    """`hosts` have one PostgreSQL each, and `etcd_hosts` one member of etcd. `lost` are names of hosts that are gone.

    `context` is the folder with the Dockerfile of both, and `debian_image` the base of their image. `replicas` is how
    many replicas the file service has, which all open connections. Certificates are made from the `seed`.
    """

    cluster: SwarmCluster
    network: OverlayNetwork
    hosts: Sequence[Host]
    etcd_hosts: Sequence[Host]
    lost: Sequence[str]
    context: Path
    debian_image: str
    password: pulumi.Output[str]
    seed: pulumi.Output[str]
    replicas: int


class Index(pulumi.ComponentResource):
    """Builds the image of both programs, runs etcd and PostgreSQL, and does nothing else."""

    ready: pulumi.Output[str]

    def __init__(self, name: str, args: IndexArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("swarm:index:Index", name, {}, opts)
        self.args = args
        child = pulumi.ResourceOptions(parent=self)
        image = ServiceImage(
            "postgres-image",
            ServiceImageArgs(
                registry=args.cluster.registry,
                repository="swarm-transfer/postgres",
                context=args.context,
                hosts=list({host.target.name: host for host in [*args.hosts, *args.etcd_hosts]}.values()),
                build_args={"DEBIAN_IMAGE": args.debian_image, "POSTGRES_MAJOR": str(patroni.MAJOR)},
            ),
            opts=child,
        )
        etcd = Etcd(
            "etcd",
            EtcdArgs(
                cluster=args.cluster,
                network=args.network,
                hosts=args.etcd_hosts,
                image=image.reference,
                seed=args.seed,
                lost=args.lost,
            ),
            opts=child,
        )
        postgres = Postgres(
            "postgres",
            PostgresArgs(
                cluster=args.cluster,
                network=args.network,
                hosts=args.hosts,
                image=pulumi.Output.all(image.reference, etcd.ready).apply(lambda known: str(known[0])),
                password=args.password,
                seed=args.seed,
                connections=connections.allowed(args.replicas),
                memory=connections.memory(args.replicas),
            ),
            opts=child,
        )
        self.ready = pulumi.Output.all(etcd.ready, postgres.ready).apply(lambda _: name)
        self.register_outputs({"ready": self.ready})
