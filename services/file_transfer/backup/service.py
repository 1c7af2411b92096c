"""The service's main program: it has a backup made whenever one is due.

Each backup is made by a process of its own, so its memory is free afterwards, and one that is killed ends nothing else.
"""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace

from backup import backups, record, schedule, status
from backup.record import Record
from backup.repository import Repository
from backup.settings import Settings

_LOOK_SECONDS = 10
"""How long until it looks again whether a backup is due: another process may have made one."""

_STOP_SECONDS = 8


def serve(settings: Settings, command: Sequence[str]) -> None:
    """Make backups until SIGTERM. `command` is the program that makes one.

    It does not begin with a repository that cannot be used, so that a deployment reports a wrong one.

    Raises:
        SettingsError: the port cannot be used.
        RepositoryError: the repository cannot be reached or written, or has another password.
    """
    _begin(settings)
    status.start(settings.port, settings.folder, settings.every_seconds)
    while True:
        found = record.read(settings.folder)
        left = schedule.seconds_left(found, settings.every_seconds, time.time())
        if left <= 0:
            _run(settings, command)
        else:
            time.sleep(min(left, _LOOK_SECONDS))


def _begin(settings: Settings) -> None:
    """Create the repository if there is none, and record what its last backup was."""
    repository = Repository(settings.repository)
    with record.locked(settings.folder):
        repository.prepare()
        record.write(settings.folder, recorded(backups.complete(repository.snapshots()), Record()))


def _run(settings: Settings, command: Sequence[str]) -> None:
    before = record.read(settings.folder)
    process = subprocess.Popen(command)
    try:
        failed = process.wait() != 0
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if failed and record.read(settings.folder).failures == before.failures:  # it was killed, or could not even begin
        with record.locked(settings.folder):
            record_failure(settings)


def record_failure(settings: Settings) -> None:
    """Record that a backup failed now. Hold the lock."""
    found = record.read(settings.folder)
    record.write(settings.folder, replace(found, failures=found.failures + 1, last_failure=time.time()))


def recorded(complete: Sequence[backups.Backup], before: Record) -> Record:
    """Return the record with the latest of these backups."""
    if not complete:
        return before
    last = complete[-1]
    return replace(
        before,
        last_success=last.time.timestamp(),
        files=last.files,
        damaged=last.damaged,
    )
