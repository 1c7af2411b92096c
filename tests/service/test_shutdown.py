"""How the real server ends: gracefully, and when it is killed."""

import os
import signal
from pathlib import Path

import pytest
import requests
from running import serving, wait_until

from file_transfer.gunicorn_server import arbiter

pytestmark = pytest.mark.slow


def test_running_transfers_finish_after_idle_workers_have_ended(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        connection, rest = server.begin_upload("slow")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(server.workers()) == 1)
        connection.sendall(rest)
        response = connection.makefile("rb").readline()

        assert b" 201 " in response
        assert server.process.wait(timeout=40) == 0
        assert "Traceback" not in server.log.read_text()


def test_readiness_fails_before_the_server_stops_accepting(tmp_path: Path) -> None:
    with serving(tmp_path, DRAIN_SECONDS="20") as server:
        server.process.send_signal(signal.SIGTERM)

        wait_until(lambda: requests.get(f"{server.status_url}/readyz", timeout=5).status_code == 503)
        late = requests.post(f"{server.url}/upload", files={"file": ("late", b"content")}, timeout=10)
        server.process.send_signal(signal.SIGTERM)

        assert late.status_code == 201
        assert server.process.wait(timeout=40) == 0


def test_metrics_survive_a_worker_that_has_ended(tmp_path: Path) -> None:
    with serving(tmp_path, WORKERS="1") as server:
        server.files()
        (worker,) = server.workers()
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: server.workers() not in ([], [worker]))

        metrics = requests.get(f"{server.status_url}/metrics", timeout=30)

    assert 'route="/files",status="200"} 1.0' in metrics.text


def test_a_killed_worker_loses_only_its_own_uploads(tmp_path: Path) -> None:
    with serving(tmp_path, WORKERS="1") as server:
        server.begin_upload("kept")[0].close()
        requests.post(f"{server.url}/upload", files={"file": ("kept", b"whole")}, timeout=10)
        connection, _ = server.begin_upload("kept")
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.workers() not in ([], [worker]))

        assert connection.recv(1) == b""
        assert server.files() == {"kept": 5}
        assert requests.post(f"{server.url}/download", data={"name": "kept"}, timeout=10).content == b"whole"


def test_a_worker_is_forked_with_sigterm_blocked_until_it_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal between would reach the master's handlers in the worker and be lost, so the replica would not end."""

    def blocked() -> bool:
        return signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])

    forked: list[bool] = []
    monkeypatch.setattr(arbiter.Arbiter, "spawn_worker", lambda _: forked.append(blocked()))
    master = arbiter.DrainingArbiter.__new__(arbiter.DrainingArbiter)

    master.spawn_worker()

    assert (forked, blocked()) == ([True], False)
