"""Runs one replica: `python -m file_transfer`."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from file_transfer import settings


def main() -> None:
    """Read the settings and serve until SIGTERM."""
    try:
        configured = settings.load()
        if not configured.s3:
            _make(configured.data)
    except settings.SettingsError as error:
        sys.exit(f"file_transfer: {error}")
    master = os.getpid()
    counters = tempfile.mkdtemp(prefix="file-transfer-metrics-")
    # Prometheus's client looks for it when it is imported: not before now.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
    from file_transfer.server import Server  # noqa: PLC0415

    try:
        Server(configured, Path(counters)).run()
    finally:
        if os.getpid() == master:  # a worker that ends comes by here too, and others still count
            shutil.rmtree(counters, ignore_errors=True)


def _make(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=data).close()
    except OSError as error:
        raise settings.SettingsError(
            f"FILE_TRANSFER_DATA is «{data}»: {error.strerror}; name a directory that user {os.getuid()} may write to"
        ) from error


if __name__ == "__main__":
    main()
