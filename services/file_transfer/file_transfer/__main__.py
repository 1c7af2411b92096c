"""Runs one replica: `python -m file_transfer`."""

import os
import shutil
import sys
import tempfile
from typing import Any

from gunicorn.app.base import BaseApplication

from file_transfer import settings
from file_transfer.directory import DirectoryStorage

_ACCESS_LOG = (
    '{"time": "%(t)s", "request": "%({x-request-id}i)s", "client": "%({x-forwarded-for}i)s", "line": "%(r)s", '
    '"status": %(s)s, "bytes": %(B)s, "seconds": %(L)s}'
)


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn with threads: it streams bodies in, and files out by sendfile."""

    def __init__(self, configured: settings.Settings) -> None:
        self._configured = configured
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"0.0.0.0:{self._configured.port}",
            "workers": self._configured.workers,
            "threads": self._configured.threads,
            "worker_class": "gthread",
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - a heartbeat file, unlinked at once
            "graceful_timeout": self._configured.grace_seconds,
            "timeout": 60,  # of a worker's heartbeat: transfers take as long as they take
            "keepalive": 30,
            "accesslog": "-",
            "access_log_format": _ACCESS_LOG,
            "control_socket_disable": True,
            "child_exit": _forget_worker,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI application
        # Not before `main` has said where: Prometheus's client looks when it is imported.
        from file_transfer import app  # noqa: PLC0415

        storage = DirectoryStorage(self._configured.data)
        storage.sweep()
        return app.create(storage, max_file_bytes=self._configured.max_file_bytes)


def _forget_worker(_: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn's worker
    from prometheus_client import multiprocess  # noqa: PLC0415 - as above

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # not annotated there


def main() -> None:
    """Read the settings and serve until SIGTERM."""
    try:
        configured = settings.load()
    except settings.SettingsError as error:
        sys.exit(f"file_transfer: {error}")
    counters = tempfile.mkdtemp(prefix="file-transfer-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
    try:
        _Server(configured).run()
    finally:
        shutil.rmtree(counters, ignore_errors=True)


if __name__ == "__main__":
    main()
