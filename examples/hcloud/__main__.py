"""Servers at Hetzner Cloud, a swarm on them, and the file service: one program creates all of it."""

from ipaddress import IPv4Network
from pathlib import Path

import pulumi
from machines import MTU, MachinesArgs, create_machines, private_network
from swarm_transfer.components import images
from swarm_transfer.components.edge import Edge, EdgeArgs
from swarm_transfer.components.file_service import FileService, FileServiceArgs
from swarm_transfer.components.file_storage import in_directory
from swarm_transfer.components.overlay import OverlayNetwork, OverlayNetworkArgs
from swarm_transfer.components.seed import Seed
from swarm_transfer.components.swarm import SwarmCluster, SwarmClusterArgs
from swarm_transfer.components.tokens import TokenArgs

PORT = 5001
MAX_FILE_BYTES = 2**30
SUBNET = IPv4Network("10.0.10.0/24")

config = pulumi.Config()
hosts = create_machines(
    MachinesArgs(
        names=["manager", *(f"worker{number}" for number in range(1, config.require_int("workers") + 1))],
        server_type=config.require("server_type"),
        location=config.require("location"),
        network_zone=config.require("network_zone"),
        networks=private_network("10.1.0.0/24", {"files": SUBNET}),
        private_key_file=Path(config.require("private_key_file")),
        operators=config.require_object("operators"),
        port=PORT,
    )
)
cluster = SwarmCluster("swarm", SwarmClusterArgs(hosts=hosts, stack=pulumi.get_stack()))
network = OverlayNetwork("files-net", OverlayNetworkArgs(cluster=cluster, name="files-net", subnet=SUBNET, mtu=MTU))
token = Seed("token").text
files = FileService(
    "files",
    FileServiceArgs(
        cluster=cluster,
        network=network,
        storage=in_directory(hosts[0]),
        context=Path("../../services/file_transfer"),
        python_image=images.PYTHON,
        replicas=2,
        max_file_bytes=MAX_FILE_BYTES,
        quota_bytes=0,
        min_free_bytes=2**30,
        grace=60,
        tokens={"operator": TokenArgs(token=token, scopes=["read", "write", "delete"])},
        allowed_hosts=config.get_object("names", []),
    ),
)
certificate = config.get_secret("certificate")
edge = Edge(
    "edge",
    EdgeArgs(
        cluster=cluster,
        networks=[network],
        image=images.HAPROXY,
        port=PORT,
        backend=files.backend,
        max_file_bytes=MAX_FILE_BYTES,
        operator_password=Seed("operator-password").text,  # of consoles, and this program publishes none
        certificate=certificate,
    ),
)
scheme = "https" if certificate else "http"
pulumi.export("addresses", [pulumi.Output.concat(scheme, "://", host.address, f":{PORT}") for host in hosts])
pulumi.export("token", token)
pulumi.export("ready", pulumi.Output.all(files.ready, edge.ready))
