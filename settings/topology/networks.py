"""The overlay networks."""

from dataclasses import dataclass
from ipaddress import IPv4Network

from components.host_networks import NamedNetworks
from settings.models import Settings

CLUSTER_NET = "cluster-net"
"""The network of what is published or sends something out: the edge, the databases, Prometheus, Alertmanager, Grafana
and the backup service.

Only this one and OUTSIDE_NET lead out of the cluster, and to the hosts themselves."""

API_NET = "api-net"
FILES_NET = "files-net"
METRICS_NET = "metrics-net"
STORAGE_NET = "storage-net"
INDEX_NET = "index-net"

OUTSIDE_NET = "outside-net"
"""The network by which replicas and the backup service reach a bucket elsewhere. Nothing else is on it."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """One overlay network. `name` is its resource's; Prometheus's configuration has its `docker_name`."""

    name: str
    docker_name: str
    subnet: IPv4Network
    internal: bool = False


def networks(settings: Settings) -> list[Network]:
    """Return the networks that this kind of storage needs. Those that lead nowhere are internal."""
    wanted = settings.network
    used = {
        "directory": {CLUSTER_NET, FILES_NET, METRICS_NET, API_NET},
        "cluster": {CLUSTER_NET, FILES_NET, METRICS_NET, API_NET, INDEX_NET, STORAGE_NET},
        "s3": {CLUSTER_NET, FILES_NET, METRICS_NET, API_NET, INDEX_NET, OUTSIDE_NET},
    }[settings.file_service.storage]
    return [
        Network(name=name, docker_name=docker_name, subnet=subnet, internal=internal)
        for name, docker_name, subnet, internal in (
            (CLUSTER_NET, "ClusterNet", wanted.subnet, False),
            (FILES_NET, "FilesNet", wanted.files_subnet, True),
            (METRICS_NET, "MetricsNet", wanted.metrics_subnet, True),
            (INDEX_NET, "IndexNet", wanted.index_subnet, True),
            (STORAGE_NET, "StorageNet", wanted.storage_subnet, True),
            (OUTSIDE_NET, "OutsideNet", wanted.outside_subnet, False),
            (API_NET, "DockerApiNet", wanted.api_subnet, True),
        )
        if name in used
    ]


def named_networks(settings: Settings) -> NamedNetworks:
    """Return the networks that the settings name, used or not."""
    subnets = {f"network.{name}": value for name, value in settings.network if isinstance(value, IPv4Network)}
    pool = subnets.pop("network.pool", None)
    network = settings.network
    return NamedNetworks(
        private_cidr=settings.private_cidr,
        subnets=subnets,
        encrypted=network.encrypted,
        pool=pool,
        mtu=network.mtu,
    )


def store_network(settings: Settings) -> str:
    """Return the name of the network by which the object store or the bucket is reached."""
    return STORAGE_NET if settings.file_service.storage == "cluster" else OUTSIDE_NET
