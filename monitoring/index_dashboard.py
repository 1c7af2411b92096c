"""The dashboard of the index and the store: what is missing, who can write, and what is stored."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders

from . import pages, promql_panels
from .metrics import Unit

_POSTGRES = 'swarm:service_tasks_expected{service=~"postgres-.+"}'
_ETCD = 'swarm:service_tasks_expected{service=~"etcd-.+"}'
_PRIMARY = 'patroni_primary{job="postgres"} == 1 and on (service) patroni_postgres_running{job="postgres"} == 1'
_SYNCHRONOUS = 'patroni_sync_standby{job="postgres"}'
_STREAMING = 'patroni_postgres_streaming{job="postgres"}'
_WRITABLE = """min by (instance, part) (label_replace(
  {__name__=~"file_transfer_(index|store)_writable", job="file-service"},
  "part", "$1", "__name__", "file_transfer_(.+)_writable"
))"""
# The position that was replayed is 0 on the primary, and on a standby that is starting or being copied.
_BEHIND = """clamp_min(
  max(patroni_xlog_location{job="postgres"} offset 1m)
  - on () group_right () (patroni_xlog_replayed_location{job="postgres"} > 0),
  0
)"""
_DISK_SECONDS = """rate(etcd_disk_wal_fsync_duration_seconds_sum{job="etcd"}[5m])
  / rate(etcd_disk_wal_fsync_duration_seconds_count{job="etcd"}[5m])"""

_MISSING = (
    (
        "Primaries missing",
        "PostgreSQL has one primary, without which nothing can be written.",
        f"clamp_min(count({_POSTGRES}) * 0 + 1 - (count({_PRIMARY}) or vector(0)), 0)",
    ),
    (
        "Standbys missing",
        "Standbys that should receive the primary's changes and do not.",
        f"clamp_min(count({_POSTGRES}) - 1 - (count({_STREAMING} == 1) or vector(0)), 0)",
    ),
    (
        "etcd without a leader",
        "Members of etcd that are missing or have no leader.",
        f'count({_ETCD}) - (count(etcd_server_has_leader{{job="etcd"}} == 1) or vector(0))',
    ),
    (
        "Replicas refusing uploads",
        "Replicas that cannot write the index or the store on enough hosts.",
        f"count(min by (instance) ({_WRITABLE}) == 0)",
    ),
)
_STORED: tuple[tuple[str, str, str, str, Unit], ...] = (
    (
        "Stored",
        "Size of all files and running uploads, by the index; each byte counts once.",
        'max by (service) (file_transfer_stored_bytes{job="file-service"})',
        "{{service}}",
        "bytes",
    ),
    (
        "Stored with each token",
        "Size of the files that were stored, and of the uploads that were begun, with each token of the settings.",
        'max by (token) (file_transfer_token_stored_bytes{job="file-service"})',
        "{{token}}",
        "bytes",
    ),
    (
        "Files",
        "Number of files, by the index.",
        'max by (service) (file_transfer_stored_files{job="file-service"})',
        "{{service}}",
        "count",
    ),
    (
        "On the volume servers",
        "Size of the volumes on each host, with deleted bytes that are not freed yet.",
        'sum by (node) (SeaweedFS_volumeServer_total_disk_size{job="object-store",type="normal"})',
        "{{node}}",
        "bytes",
    ),
    (
        "Space left for volumes",
        "Available on the disk of each volume server.",
        'min by (node) (SeaweedFS_volumeServer_resource{job="object-store",type="avail"})',
        "{{node}}",
        "bytes",
    ),
    (
        "Garbage",
        "Chunks of deleted and replaced files that wait to be deleted.",
        'max by (service) (file_transfer_garbage_chunks{job="file-service"})',
        "{{service}}",
        "count",
    ),
    (
        "Swept",
        "Chunks deleted in the last five minutes.",
        'sum by (service) (increase(file_transfer_swept_chunks_total{job="file-service"}[5m]))',
        "{{service}}",
        "count",
    ),
    (
        "Failed sweeps",
        "Sweeps that failed in the last 15 minutes. They are repeated.",
        'sum by (service) (increase(file_transfer_sweep_failures_total{job="file-service"}[15m]))',
        "{{service}}",
        "count",
    ),
)


def index_and_store() -> dict[str, Any]:
    """Return the dashboard of PostgreSQL, etcd, the volume servers, and what the file service stores in them."""
    page = pages.page("index-and-store", "Index and store", "Where files and their index are, and who can write them.")
    for title, description, expr in _MISSING:
        # Without PostgreSQL, as with a directory, nothing is missing.
        page.with_panel(promql_panels.number(title, description, f"{expr} or vector(0)"))
    page.with_panel(
        promql_panels.states(
            "Who can write",
            "Whether each replica can write the index and the store on enough hosts.",
            _WRITABLE,
            "{{part}} of {{instance}}",
            names=("uploads are refused", "writable"),
        )
    )
    page.with_row(builders.Row("Index"))
    page.with_panel(
        promql_panels.listing(
            "PostgreSQL",
            "1 means yes. The primary is no standby.",
            ['patroni_primary{job="postgres"}', _SYNCHRONOUS, _STREAMING],
            {
                "service": "service",
                "node": "node",
                "Value #A": "primary",
                "Value #B": "synchronous standby",
                "Value #C": "receives changes",
            },
            none="no PostgreSQL",
        )
    )
    page.with_panel(
        promql_panels.lines(
            "Standbys behind the primary",
            "What the primary had written a minute ago and a standby has not replayed.",
            _BEHIND,
            "{{service}}",
            "bytes",
        )
    )
    page.with_panel(
        promql_panels.lines(
            "etcd waits for its disk", "Mean duration of a write to disk.", _DISK_SECONDS, "{{service}}", "seconds"
        )
    )
    page.with_row(builders.Row("Store"))
    for title, description, expr, legend, unit in _STORED:
        page.with_panel(promql_panels.lines(title, description, expr, legend, unit))
    return pages.as_dict(page)
