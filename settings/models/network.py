"""The networks between the services."""

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field

from settings.models.base import Model


class Network(Model):
    """The overlay networks. Only programs that speak with each other share one. Prometheus is on most."""

    subnet: IPv4Network = IPv4Network("10.0.10.0/24")
    """Subnet of the network of the edge, monitoring and the backup service, which leads out of the cluster."""
    api_subnet: IPv4Network = IPv4Network("10.0.11.0/24")
    """Subnet of the network between Prometheus and the Docker API."""
    storage_subnet: IPv4Network = IPv4Network("10.0.12.0/24")
    """Subnet of the network between the file service and the object store."""
    files_subnet: IPv4Network = IPv4Network("10.0.13.0/24")
    """Subnet of the network between the edge and the file service."""
    metrics_subnet: IPv4Network = IPv4Network("10.0.14.0/24")
    """Subnet of the network between Prometheus and the exporters."""
    index_subnet: IPv4Network = IPv4Network("10.0.15.0/24")
    """Subnet of the network between the file service and the index."""
    outside_subnet: IPv4Network = IPv4Network("10.0.16.0/24")
    """Subnet of the network by which the file service and the backup service reach a bucket elsewhere."""
    pool: IPv4Network | None = None
    """What Docker takes the subnets of its own networks from when the swarm is created; by default 10.0.0.0/8."""
    mtu: Annotated[int, Field(ge=1280, le=9216)] | None = None
    """The MTU of the interfaces between the hosts, in bytes; by default the smallest one found, but at most 1500."""
    encrypted: bool = True
    """Whether everything between containers on different hosts is encrypted, which needs IPsec in their kernels."""
