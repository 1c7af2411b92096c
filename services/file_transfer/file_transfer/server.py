"""The server: gunicorn with threads, which streams request bodies and sends files with sendfile."""

import fcntl
import os
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from prometheus_client import multiprocess

from file_transfer import app, backends, settings
from file_transfer.catalogue import Catalogue
from file_transfer.drain import Drain
from file_transfer.gunicorn_server import small_responses
from file_transfer.gunicorn_server.access_log import AccessLog
from file_transfer.gunicorn_server.arbiter import DrainingArbiter, unblock_sigterm
from file_transfer.gunicorn_server.worker import Worker
from file_transfer.health import Health
from file_transfer.limits import Limits
from file_transfer.readiness import Readiness
from file_transfer.status import StatusServer
from file_transfer.sweep import Sweeper

small_responses.install(server="file-transfer")


class Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """One replica: a master process and its workers, which share files in the folder `shared`."""

    def __init__(self, configured: settings.Settings, shared: Path) -> None:
        self._configured = configured
        self._shared = shared
        self._drain = Drain()
        self.pace = configured.pace
        """How slowly a client may send a body, for the workers."""
        self._status = StatusServer(configured.status_port)
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options. Called by gunicorn."""
        options = {
            "bind": f"0.0.0.0:{self._configured.port}",
            "workers": self._configured.workers,
            "threads": self._configured.threads,
            "worker_class": Worker,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108 - a heartbeat file, unlinked at once
            "graceful_timeout": self._configured.grace_seconds - self._configured.drain_seconds,
            "timeout": 60,  # for a worker's heartbeat; transfers may take longer
            "keepalive": 30,
            "logger_class": AccessLog,
            "control_socket_disable": True,
            "child_exit": _forget_worker,
            "post_worker_init": unblock_sigterm,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI application
        """Return the WSGI application. Called by gunicorn in each worker."""
        configured = self._configured
        database, store = backends.database(configured), backends.store(configured)
        health = Health(database, store)
        health.start()
        limits = Limits(
            max_file=configured.max_file_bytes, quota=configured.quota_bytes, min_free=configured.min_free_bytes
        )
        catalogue = Catalogue(database, store, limits, health.check_writable)
        names = configured.tokens.names if configured.tokens else ()
        Sweeper(catalogue, _Election(self._shared / "sweep.lock").is_elected, names).start()
        readiness = Readiness(health.check_readable, self._drain.has_begun)
        self._status.start(readiness)
        return app.create(
            catalogue,
            max_transfers=configured.threads - settings.RESERVED_THREADS,
            tokens=configured.tokens,
            browsers=configured.browsers,
            readiness=readiness,
        )

    def run(self) -> None:
        """Serve until SIGTERM."""
        # This process serves nothing, but its gauges would count as a worker's whose checks all fail.
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call] # not annotated there
        DrainingArbiter(self, self._drain, self._configured.drain_seconds).run()


class _Election:
    """Elects one of the worker processes, and another one when that has ended."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def is_elected(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _forget_worker(_: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn's worker
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # not annotated there
