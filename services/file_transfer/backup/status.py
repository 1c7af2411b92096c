"""Health and metrics, on a port of their own. Whatever a backup does, these are answered."""

from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from backup import record
from file_transfer.environment import SettingsError
from file_transfer.status_handler import StatusHandler


def start(port: int, folder: Path, every_seconds: int) -> int:
    """Begin to answer, with what is recorded in the folder. Return the port; 0 asks for a free one.

    A backup is to be made every `every_seconds`.

    Raises:
        SettingsError: the port cannot be used.
    """
    try:
        server = _Server(("", port), _Handler)
    except OSError as error:
        raise SettingsError(f'BACKUP_PORT is "{port}": {error.strerror}; set it to a free port') from error
    server.registry.register(_Recorded(folder, every_seconds))
    Thread(target=server.serve_forever, name="status", daemon=True).start()
    return server.server_port


class _Recorded(Collector):
    """What is recorded at the moment, by whichever process made the last backup."""

    def __init__(self, folder: Path, every_seconds: int) -> None:
        self._folder = folder
        self._every_seconds = every_seconds

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. Called by the registry."""
        found = record.read(self._folder)
        yield CounterMetricFamily(
            "backup_failures", "Backups that failed in whole or in part, since the start.", found.failures
        )
        for name, text, value in (
            ("interval_seconds", "Time from one backup to the next.", self._every_seconds),
            (
                "last_success_timestamp_seconds",
                "When the last complete backup began; 0 if there is none.",
                found.last_success,
            ),
            ("files", "Files in the last complete backup.", found.files),
            (
                "damaged_files",
                "Files whose stored bytes were gone or wrong in the last complete backup.",
                found.damaged,
            ),
        ):
            yield GaugeMetricFamily(f"backup_{name}", text, value)


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], handler: type[StatusHandler]) -> None:
        super().__init__(address, handler)
        self.registry = CollectorRegistry()


class _Handler(StatusHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the base class looks for it
        """Answer one of the two paths. Called by the server."""
        match self.path:
            case "/healthz":
                self.answer(200, b"alive\n")
            case "/metrics":
                self.answer(200, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)
            case _:
                self.answer(404, b"error: not found\n")
