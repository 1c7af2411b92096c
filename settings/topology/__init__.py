"""The cluster that the settings describe: its services, its networks, its data, and the ports that it publishes.

All of it is known before anything is registered. Preflight, the alerts' expectations, the wiring and the validation of
the settings read it here, and a test compares it with what the program registers.
"""

from settings.topology.cluster import Topology, describe, plan
from settings.topology.data import new_data
from settings.topology.networks import (
    API_NET,
    CLUSTER_NET,
    FILES_NET,
    INDEX_NET,
    METRICS_NET,
    OUTSIDE_NET,
    STORAGE_NET,
    named_networks,
)
from settings.topology.ports import DATABASE_PORTS, monitoring_ports

__all__ = [
    "API_NET",
    "CLUSTER_NET",
    "DATABASE_PORTS",
    "FILES_NET",
    "INDEX_NET",
    "METRICS_NET",
    "OUTSIDE_NET",
    "STORAGE_NET",
    "Topology",
    "describe",
    "monitoring_ports",
    "named_networks",
    "new_data",
    "plan",
]
