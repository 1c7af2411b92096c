"""The metrics in the two InfluxDBs, from which the dashboards, the report and the text table are made.

A metric's measurement has the name of the Prometheus rule that records it. Its only field is `value`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

VMS = "vms"
CONTAINERS = "containers"

Unit = Literal["percent", "bytes", "bytes per second", "CPUs", "per second", "seconds", "ratio", "count"]
"""The unit of the stored values, except that `percent` is stored as a fraction, 0 to 1."""

_HOST = ("node",)
_FILESYSTEM = ("node", "mountpoint")
_TASK = ("service", "slot", "node")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measurement of one database. It has one line for each combination of values of its `tags`."""

    title: str
    database: str
    measurement: str
    unit: Unit
    tags: tuple[str, ...]
    description: str


def line_name(tags: Mapping[str, str]) -> str:
    """Return the name of a line: NODE for a host, SERVICE.SLOT on NODE for a task, NODE PATH for a filesystem.

    Tasks of a global service have no slot, so they are named SERVICE on NODE.
    """
    node = tags.get("node", "")
    if "service" in tags:
        task = f"{tags['service']}.{tags['slot']}" if tags.get("slot") else tags["service"]
        return f"{task} on {node}"
    return f"{node} {tags['mountpoint']}" if "mountpoint" in tags else node


def _vm(title: str, measurement: str, unit: Unit, description: str, *, tags: tuple[str, ...] = _HOST) -> Metric:
    return Metric(title=title, database=VMS, measurement=measurement, unit=unit, tags=tags, description=description)


def _container(title: str, measurement: str, unit: Unit, description: str) -> Metric:
    return Metric(
        title=title, database=CONTAINERS, measurement=measurement, unit=unit, tags=_TASK, description=description
    )


VM_METRICS = (
    _vm(
        "CPU",
        "instance:node_cpu_utilisation:rate5m",
        "percent",
        "CPU time in use, as a share of all CPUs, over five minutes.",
    ),
    _vm(
        "Memory",
        "instance:node_memory_utilisation:ratio",
        "percent",
        "Memory that is not available to programs, as a share of all memory.",
    ),
    _vm(
        "Network in",
        "instance:node_network_receive_bytes:rate5m",
        "bytes per second",
        "Received by the host's physical interfaces, over five minutes.",
    ),
    _vm(
        "Network out",
        "instance:node_network_transmit_bytes:rate5m",
        "bytes per second",
        "Sent by the host's physical interfaces, over five minutes.",
    ),
)

CONTAINER_METRICS = (
    _container(
        "CPU", "container:cpu_usage_seconds:rate5m", "CPUs", "CPUs in use, over five minutes; 1 is one whole CPU."
    ),
    _container("Memory", "container:memory_working_set_bytes:sum", "bytes", "Memory that the kernel cannot reclaim."),
    _container(
        "Network in", "container:network_receive_bytes:rate5m", "bytes per second", "Received, over five minutes."
    ),
    _container(
        "Network out", "container:network_transmit_bytes:rate5m", "bytes per second", "Sent, over five minutes."
    ),
)

EIGHT = VM_METRICS + CONTAINER_METRICS
"""CPU, memory, network in and network out, of VMs and of containers."""

FURTHER_VM_METRICS = (
    _vm(
        "Filesystems",
        "instance:node_filesystem_utilisation:ratio",
        "percent",
        "Used space of each filesystem.",
        tags=_FILESYSTEM,
    ),
    _vm(
        "Load",
        "instance:node_load1_per_cpu:ratio",
        "ratio",
        "Running and waiting processes per CPU, over one minute; above 1 some wait.",
    ),
)

FILE_METRICS = (
    _container(
        "Requests", "container:file_transfer_requests:rate5m", "per second", "Requests handled, over five minutes."
    ),
    _container("Errors", "container:file_transfer_errors:rate5m", "per second", "Failed requests, over five minutes."),
    _container(
        "Received",
        "container:file_transfer_received_bytes:rate5m",
        "bytes per second",
        "Bytes uploaded, over five minutes.",
    ),
    _container(
        "Sent", "container:file_transfer_sent_bytes:rate5m", "bytes per second", "Bytes downloaded, over five minutes."
    ),
    _container(
        "Request duration, 95th percentile",
        "container:file_transfer_request_seconds:p95_5m",
        "seconds",
        "95 % of the requests in the last five minutes took less time.",
    ),
)

ALL = (*EIGHT, *FURTHER_VM_METRICS, *FILE_METRICS)
