"""Cleaning up after a killed Pulumi run: its lock is cleared, and unrecorded objects are found."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress

import pytest

from lab import interrupted
from lab.packages import LabError


@pytest.fixture
def lock(tmp_path):
    def write(pid, hostname=None):
        file = tmp_path / "organization" / "swarm-transfer" / "lab" / "0.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"pid": pid, "username": "root", "hostname": hostname or socket.gethostname()}))
        return file

    return write


@pytest.fixture
def running_pulumi(tmp_path):
    program = shutil.copy(shutil.which("sleep"), tmp_path / "pulumi")
    process = subprocess.Popen([program, "60"])
    # The process gets its name a moment after `Popen` has returned.
    deadline = time.monotonic() + 10
    while interrupted._read(process.pid, "comm") != b"pulumi\n":
        assert time.monotonic() < deadline
    yield process.pid
    process.kill()
    process.wait()


def test_the_lock_of_an_ended_process_is_cleared(tmp_path, lock):
    ended = subprocess.Popen(["true"])
    ended.wait()
    file = lock(ended.pid)

    assert interrupted.clear_locks(tmp_path)
    assert not file.exists()


def test_the_lock_of_a_running_pulumi_is_kept_and_the_error_names_the_process(tmp_path, lock, running_pulumi):
    file = lock(running_pulumi)

    with pytest.raises(LabError, match=f"in use by pulumi, process {running_pulumi}: wait"):
        interrupted.clear_locks(tmp_path)

    assert file.exists()


def test_a_lock_whose_process_id_now_belongs_to_another_program_is_cleared(tmp_path, lock):
    file = lock(os.getpid())

    interrupted.clear_locks(tmp_path)

    assert not file.exists()


def test_a_lock_from_another_machine_is_kept(tmp_path, lock):
    file = lock(1, hostname="elsewhere")

    with pytest.raises(LabError, match="process 1 on elsewhere"):
        interrupted.clear_locks(tmp_path)

    assert file.exists()


def test_a_partly_written_lock_is_cleared(tmp_path):
    file = tmp_path / "0.json"
    file.write_text('{"pid": 4')

    interrupted.clear_locks(tmp_path)

    assert not file.exists()


def test_without_a_folder_of_locks_there_is_no_lock(tmp_path):
    assert not interrupted.clear_locks(tmp_path / "absent")


@pytest.fixture
def spawned():
    """Starts a shell with the program `engine`, which starts `sleep`, and returns both process ids."""
    shells = []

    def spawn(home, engine):
        shell = subprocess.Popen(
            [engine, "-c", "sleep 60 & echo $!; wait"],
            env={**os.environ, "PULUMI_HOME": str(home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        shells.append((shell, int(shell.stdout.readline())))
        return shells[-1]

    yield spawn
    for shell, child in shells:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        shell.kill()
        shell.communicate()


def test_plugins_without_an_engine_are_ended_with_their_child_processes(tmp_path, spawned):
    plugin, child = spawned(tmp_path / "home", "/bin/sh")

    interrupted.end_orphans(tmp_path / "home")

    assert plugin.wait(timeout=10) == -signal.SIGKILL
    assert interrupted._read(child, "environ") == b""


def test_a_running_pulumi_keeps_its_plugins(tmp_path, spawned):
    engine = shutil.copy("/bin/sh", tmp_path / "pulumi")
    shell, child = spawned(tmp_path / "home", engine)

    interrupted.end_orphans(tmp_path / "home")

    assert shell.poll() is None
    assert interrupted._read(child, "environ") != b""


def test_the_plugins_of_another_lab_are_left_alone(tmp_path, spawned):
    shell, _ = spawned(tmp_path / "other", "/bin/sh")

    interrupted.end_orphans(tmp_path / "home")

    assert shell.poll() is None
