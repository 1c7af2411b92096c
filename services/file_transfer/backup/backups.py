"""Backups: the snapshots that have one time in common. One is complete once its summary is there, which comes last.

The tags of the summary's snapshot say what the backup has, so that a list of snapshots is enough to know it.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backup import archive, metrics
from backup.archive import Contents
from backup.influxdb import Influxdb, InfluxdbError
from backup.repository import Repository, RepositoryError, Snapshot
from backup.settings import DatabaseSettings
from file_transfer.catalogue import Catalogue

FILES = "files"
STATE = "state"
STATE_FILENAME = "state.json"

RESTORING = "restoring"
"""The tag of a mark at the time of a backup whose restore has begun and not ended."""

_SUMMARY = "summary"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_log = logging.getLogger("backup")


class NoBackupError(LookupError):
    """There is no such backup. The message says which ones there are."""


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A complete backup, by its time (UTC, whole seconds). `snapshots` are by tag.

    `missing` are the databases that could not be read.
    """

    time: datetime
    snapshots: dict[str, Snapshot]
    files: int
    bytes: int
    damaged: int
    missing: tuple[str, ...] = ()

    @property
    def is_being_restored(self) -> bool:
        """Whether a restore of it has begun and not ended."""
        return RESTORING in self.snapshots

    @property
    def databases(self) -> list[str]:
        """The databases whose metrics it has."""
        return sorted(tag.removeprefix(metrics.TAG) for tag in self.snapshots if tag.startswith(metrics.TAG))

    def __str__(self) -> str:
        """Describe it in one line, which begins with its time."""
        parts = [f"{format_time(self.time)}  {self.files} files, {self.bytes} bytes"]
        parts += [f"{self.damaged} DAMAGED"] if self.damaged else []
        parts += [f"metrics of {' and '.join(self.databases)}"] if self.databases else []
        parts += [f"NO metrics of {' and '.join(self.missing)}"] if self.missing else []
        parts += [STATE] if STATE in self.snapshots else []
        parts += ["its restore has NOT ended"] if self.is_being_restored else []
        return ", ".join(parts)


def format_time(time: datetime) -> str:
    """Return a backup's time as commands print it, and take it."""
    return time.astimezone(UTC).strftime(_TIME)


def complete(snapshots: Sequence[Snapshot]) -> list[Backup]:
    """Return the complete backups among the snapshots, oldest first."""
    by_time: dict[datetime, dict[str, Snapshot]] = defaultdict(dict)
    for snapshot in snapshots:
        for tag in snapshot.tags:
            by_time[snapshot.time][tag] = snapshot
    return [_backup(time, found) for time, found in sorted(by_time.items()) if _SUMMARY in found and FILES in found]


def choose(backups: Sequence[Backup], time: str | None) -> Backup:
    """Return the backup of that time, by default the one whose restore has not ended, or else the latest one.

    Raises:
        NoBackupError: there is none.
    """
    if not backups:
        raise NoBackupError("there is no complete backup yet: `now` makes one")
    if time is None:
        return next((backup for backup in reversed(backups) if backup.is_being_restored), backups[-1])
    for backup in backups:
        if format_time(backup.time) == time:
            return backup
    raise NoBackupError(f'there is no backup of "{time}": `list` prints the times; the latest is {backups[-1]}')


def make(
    repository: Repository,
    catalogue: Catalogue,
    databases: Sequence[DatabaseSettings],
    now: datetime,
    state: bytes | None = None,
    *,
    taken: Collection[datetime] = (),
) -> tuple[datetime, list[str]]:
    """Make a backup, at another time than those that are `taken`.

    Return its time, and why the metrics of some databases are not in it: files are not kept waiting.

    Raises:
        RepositoryError: it cannot be stored.
        StorageUnavailableError: the files cannot be read at the moment.
    """
    time = now.replace(microsecond=0)
    while time in taken:
        time += timedelta(seconds=1)
    if state is not None:
        with repository.store(time, [STATE], STATE_FILENAME) as sink:
            sink.write(state)
    failures = {}
    for database in databases:
        try:
            with repository.store(time, [metrics.TAG + database.name], metrics.filename(database.name)) as sink:
                metrics.write(Influxdb(database), sink, now)
        except InfluxdbError as error:
            _log.error("the metrics are not in the backup: %s", error)
            failures[database.name] = str(error)
    with repository.store(time, [FILES], archive.FILENAME) as sink:
        contents = archive.write(catalogue, sink)
    _store_summary(repository, time, contents, list(failures))
    return time, list(failures.values())


def mark_restore(repository: Repository, backup: Backup) -> None:
    """Mark that a restore of the backup has begun. A repository that is read-only gets no new backups either."""
    if backup.is_being_restored:
        return
    try:
        with repository.store(backup.time, [RESTORING], "restoring.txt") as sink:
            sink.write(b"A restore of this backup has begun and not ended.\n")
    except RepositoryError as error:
        _log.warning("the restore is not marked in the repository: %s", error)


def end_restore(repository: Repository) -> None:
    """Take the marks of all restores away.

    Raises:
        RepositoryError: it failed; it can be repeated.
    """
    repository.forget([snapshot for snapshot in repository.snapshots() if RESTORING in snapshot.tags])


def forget_old(repository: Repository, keep: Sequence[tuple[str, int]], snapshots: Sequence[Snapshot]) -> None:
    """Forget those of all snapshots that need not be kept, and what is left of incomplete ones. None must be running.

    The stored states are chosen by themselves: otherwise the next backup of a day would supersede that with the state.

    Raises:
        RepositoryError: it failed; the next backup does it again.
    """
    halves = [snapshot for snapshot in _left_over(snapshots) if FILES in snapshot.tags]
    repository.forget(halves)  # otherwise one could be kept in place of a complete one
    gone = repository.keep_only(keep, [FILES, STATE]) | {snapshot.id for snapshot in halves}
    repository.forget(_left_over([snapshot for snapshot in snapshots if snapshot.id not in gone]))


def _left_over(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the snapshots that belong to no complete backup, except states."""
    times = {backup.time for backup in complete(snapshots)}
    return [snapshot for snapshot in snapshots if snapshot.time not in times and STATE not in snapshot.tags]


def _store_summary(repository: Repository, time: datetime, contents: Contents, missing: Sequence[str]) -> None:
    tags = [
        _SUMMARY,
        f"files={contents.files}",
        f"bytes={contents.bytes}",
        f"damaged={len(contents.damaged)}",
        *(f"missing={name}" for name in missing),
    ]
    with repository.store(time, tags, "summary.txt") as sink:
        sink.write(b"The tags of this snapshot say what the backup has.\n")


def _backup(time: datetime, snapshots: dict[str, Snapshot]) -> Backup:
    numbers = {"files": 0, "bytes": 0, "damaged": 0}
    missing = []
    for tag in snapshots[_SUMMARY].tags:
        name, _, value = tag.partition("=")
        if name in numbers:
            with suppress(ValueError):  # a tag that somebody else has added
                numbers[name] = int(value)
        elif name == "missing":
            missing.append(value)
    return Backup(time=time, snapshots=snapshots, missing=tuple(sorted(missing)), **numbers)
