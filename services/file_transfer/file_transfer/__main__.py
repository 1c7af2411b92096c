"""Entry point of `python -m file_transfer`, which runs one replica."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from file_transfer import settings
from file_transfer.chunks import StorageUnavailableError
from file_transfer.environment import SettingsError
from file_transfer.index.database import UnsuitableSchemaError


def main() -> None:
    """Read the settings and serve until SIGTERM."""
    master = os.getpid()
    counters = tempfile.mkdtemp(prefix="file-transfer-metrics-")
    # The Prometheus client reads this variable when it is imported, so whatever imports it is imported after this.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
    from file_transfer import backends  # noqa: PLC0415
    from file_transfer.server import Server  # noqa: PLC0415

    try:
        configured = settings.load()
        if not configured.postgres:
            _make_writable_folder(configured.data)
        backends.migrate(configured)
        Server(configured, Path(counters)).run()
    except (SettingsError, UnsuitableSchemaError, StorageUnavailableError) as error:
        sys.exit(f"file_transfer: {error}")
    finally:
        if os.getpid() == master:  # a worker that exits gets here too, but the other workers still need the folder
            shutil.rmtree(counters, ignore_errors=True)


def _make_writable_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise SettingsError(
            f'FILE_TRANSFER_DATA is "{path}": {error.strerror}; name a directory that user {os.getuid()} can write to'
        ) from error


if __name__ == "__main__":
    main()
