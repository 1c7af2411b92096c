"""The metrics at /metrics, summed over all worker processes of this replica."""

import os
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REQUESTS = Counter(
    "file_transfer_requests", "Requests, by method, route and HTTP status.", ["method", "route", "status"]
)
ERRORS = Counter("file_transfer_errors", "Requests that were refused or failed, by reason.", ["reason"])
RECEIVED = Counter("file_transfer_received_bytes", "Bytes of files received and stored.")
SENT = Counter("file_transfer_sent_bytes", "Bytes of files requested by downloads.")
TRANSFERS = Gauge("file_transfer_transfers", "Running transfers.", multiprocess_mode="livesum")
SECONDS = Histogram(
    "file_transfer_request_seconds",
    "Time to handle a request, by method and route. For a download, the time to its first byte.",
    ["method", "route"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800),
)
INDEX_READABLE = Gauge("file_transfer_index_readable", "Whether the index can be read.", multiprocess_mode="livemin")
INDEX_WRITABLE = Gauge(
    "file_transfer_index_writable",
    "Whether the index can be written: it has a primary and enough synchronous standbys.",
    multiprocess_mode="livemin",
)
STORE_READABLE = Gauge(
    "file_transfer_store_readable", "Whether the store of the bytes can be read.", multiprocess_mode="livemin"
)
STORE_WRITABLE = Gauge(
    "file_transfer_store_writable", "Whether the store takes bytes with all their copies.", multiprocess_mode="livemin"
)
STORED_BYTES = Gauge(
    "file_transfer_stored_bytes",
    "Bytes of all files and running uploads, by the index.",
    multiprocess_mode="livemostrecent",
)
TOKEN_STORED_BYTES = Gauge(
    "file_transfer_token_stored_bytes",
    "Bytes of all files and running uploads that were stored with a token, by the index.",
    ["token"],
    multiprocess_mode="livemostrecent",
)
STORED_FILES = Gauge("file_transfer_stored_files", "Files, by the index.", multiprocess_mode="livemostrecent")
GARBAGE = Gauge("file_transfer_garbage_chunks", "Chunks that wait to be deleted.", multiprocess_mode="livemostrecent")
UNREADABLE_COPIES = Counter(
    "file_transfer_unreadable_copies",
    "Reads of a chunk's copy that failed because it is damaged or its disk fails.",
)
SWEPT = Counter("file_transfer_swept_chunks", "Chunks that were deleted.")
SWEEP_FAILURES = Counter("file_transfer_sweep_failures", "Sweeps that failed and will be repeated.")
_STORAGE_SECONDS = Histogram(
    "file_transfer_storage_seconds",
    "Time that a storage operation took.",
    ["operation"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10),
)

CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """Return the metrics in Prometheus's text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # not annotated there
    return generate_latest(registry)


def storage(operation: str) -> AbstractContextManager[object]:
    """Measure how long a storage operation takes, even if it fails."""
    return _STORAGE_SECONDS.labels(operation).time()
