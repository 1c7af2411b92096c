"""Runs one replica: `python -m file_transfer`."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.http import wsgi

from file_transfer import settings
from file_transfer.access_log import AccessLog
from file_transfer.directory import DirectoryStorage
from file_transfer.drain import Drain, DrainingArbiter


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn with threads: it streams bodies in, and files out by sendfile."""

    def __init__(self, configured: settings.Settings, storage: DirectoryStorage) -> None:
        self._configured = configured
        self._storage = storage
        self._drain = Drain()
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"0.0.0.0:{self._configured.port}",
            "workers": self._configured.workers,
            "threads": self._configured.threads,
            "worker_class": "gthread",
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - a heartbeat file, unlinked at once
            "graceful_timeout": self._configured.grace_seconds - self._configured.drain_seconds,
            "timeout": 60,  # of a worker's heartbeat: transfers take as long as they take
            "keepalive": 30,
            "accesslog": "-",
            "logger_class": AccessLog,
            "control_socket_disable": True,
            "child_exit": _forget_worker,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI application
        # Not before `main` has said where: Prometheus's client looks when it is imported.
        from file_transfer import app  # noqa: PLC0415

        return app.create(
            self._storage,
            max_file_bytes=self._configured.max_file_bytes,
            max_transfers=self._configured.threads - settings.RESERVED_THREADS,
            is_draining=self._drain.has_begun,
        )

    def run(self) -> None:
        DrainingArbiter(self, self._drain, self._configured.drain_seconds).run()


def _forget_worker(_: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn's worker
    from prometheus_client import multiprocess  # noqa: PLC0415 - as above

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # not annotated there


def _storage(data: Path) -> DirectoryStorage:
    try:
        return DirectoryStorage(data)
    except OSError as error:
        raise settings.SettingsError(
            f"FILE_TRANSFER_DATA is «{data}»: {error.strerror}; name a directory that user {os.getuid()} may write to"
        ) from error


def main() -> None:
    """Read the settings and serve until SIGTERM."""
    try:
        configured = settings.load()
        storage = _storage(configured.data)
    except settings.SettingsError as error:
        sys.exit(f"file_transfer: {error}")
    storage.sweep()
    master = os.getpid()
    wsgi.SERVER = "file-transfer"  # gunicorn always sends a Server header, and has no setting for it
    counters = tempfile.mkdtemp(prefix="file-transfer-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
    try:
        _Server(configured, storage).run()
    finally:
        if os.getpid() == master:  # a worker that ends comes by here too, and others still count
            shutil.rmtree(counters, ignore_errors=True)


if __name__ == "__main__":
    main()
