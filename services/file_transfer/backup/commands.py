"""The commands. Each is a function that returns what to print, or raises an error."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import IO

from backup import archive, backups, metrics, record, schedule, service
from backup.backups import Backup, NoBackupError
from backup.influxdb import Influxdb
from backup.pipe import Writer
from backup.repository import Repository, RepositoryError, Snapshot
from backup.restore import Restored, Wanted
from backup.settings import Settings
from file_transfer import backends, names
from file_transfer import settings as file_settings
from file_transfer.catalogue import Catalogue
from file_transfer.clock import now
from file_transfer.limits import Limits

_ANY_SIZE = 2**63 - 1


class InvalidStateError(ValueError):
    """What is given as Pulumi's state is none."""


class HalfRestoredError(Exception):
    """A backup that is due is not made, since the cluster has lost files that the last one has."""


class IncompleteError(Exception):
    """Something was done, but not everything. The message says what is missing."""


@contextmanager
def storage() -> Iterator[Catalogue]:
    """Open the files as the file service is configured to store them.

    Raises:
        SettingsError: a variable is invalid.
        UnsuitableSchemaError: this release cannot use the index.
        StorageUnavailableError: the index cannot be reached.
    """
    configured = file_settings.load()
    backends.migrate(configured)
    database = backends.database(configured)
    try:
        # A file that could be stored once can be restored, whatever the limits are now. The disk must not fill up.
        limits = Limits(max_file=_ANY_SIZE, min_free=configured.min_free_bytes)
        yield Catalogue(database, backends.store(configured), limits)
    finally:
        database.close()


def back_up(settings: Settings, *, only_if_due: bool = False, state: bytes | None = None) -> str:
    """Make a backup, and forget old ones. With `only_if_due`, do nothing unless one is due.

    Raises:
        RepositoryError: it cannot be stored.
        StorageUnavailableError: the files cannot be read.
        HalfRestoredError: it is only made if it is due, and files have to be restored first.
        IncompleteError: some metrics are not in it, or old ones cannot be forgotten.
        InvalidStateError: the state is not JSON.
    """
    if state is not None:
        _check_json(state)
    repository = Repository(settings.repository)
    with record.locked(settings.folder):
        try:
            known = record.read(settings.folder)
            repository.prepare(had_backups=known.last_success > 0)
            snapshots = repository.snapshots()
            earlier = backups.complete(snapshots)
            before = service.recorded(earlier, known)
            if only_if_due and schedule.seconds_left(before, settings.every_seconds, time.time()) > 0:
                record.write(settings.folder, before)
                return "no backup is due"
            with storage() as catalogue:
                if only_if_due:
                    _check_restored(catalogue, earlier)
                taken = {snapshot.time for snapshot in snapshots}
                made, failures = backups.make(repository, catalogue, settings.databases, now(), state, taken=taken)
            snapshots = repository.snapshots()
            (backup,) = (found for found in backups.complete(snapshots) if found.time == made)
            if not only_if_due:  # whoever makes one by hand goes on without what was not restored
                backups.end_restore(repository)
            record.write(settings.folder, service.recorded([backup], before))
        except Exception:
            service.record_failure(settings)
            raise
        failures += _forget(settings, repository, snapshots)
        if failures:
            found = record.read(settings.folder)
            record.write(settings.folder, replace(found, failures=found.failures + 1))
            raise IncompleteError(f"{backup}; {'; '.join(failures)}")
    return str(backup)


def _check_restored(catalogue: Catalogue, earlier: Sequence[Backup]) -> None:
    """Check that the files of the earlier backups need not be restored first.

    Otherwise the next restore would take a backup of an empty or half-restored cluster for the latest one, and backups
    with the files would be forgotten.

    Raises:
        HalfRestoredError: they need to be.
    """
    if any(backup.is_being_restored for backup in earlier):
        raise HalfRestoredError(
            "a restore has not ended: continue it with `restore --keep-existing`. `now` makes a backup all the same"
        )
    if earlier and earlier[-1].files and not catalogue.page("", "", 1):
        raise HalfRestoredError(
            f"the index has no file, and the last backup has {earlier[-1].files}: `restore` brings them back. "
            "If they were removed, `now` makes a backup without them, and then others follow"
        )


def _forget(settings: Settings, repository: Repository, snapshots: Sequence[Snapshot]) -> list[str]:
    """Forget old backups, and return why they could not be: the new one is complete, whatever it was."""
    try:
        backups.forget_old(repository, settings.keep, snapshots)
    except RepositoryError as error:
        return [f"old backups are not forgotten: {error}"]
    return []


def list_all(settings: Settings) -> list[str]:
    """Return a line for each complete backup, oldest first.

    Raises:
        RepositoryError: the repository cannot be read.
    """
    return [str(backup) for backup in backups.complete(Repository(settings.repository).snapshots())]


@contextmanager
def _writer(wanted: Wanted, other: Writer | None) -> Iterator[Callable[[IO[bytes]], Restored]]:
    """Check that this may be restored, and yield what restores it from an archive: `other` does, if there is one."""
    if other:
        other.agree(wanted)
        yield other.restore
    else:
        with storage() as catalogue:
            wanted.check(catalogue)
            yield partial(wanted.restore, catalogue)


def restore_everything(
    settings: Settings, at: str | None, *, keep_existing: bool, with_metrics: bool, other: Writer | None = None
) -> Iterator[str]:
    """Restore all files, and then the metrics. If there is an `other` process, it writes the files.

    Yield a line for the files, for each damaged file, and for each database.

    Raises:
        RestoreError: there are files already.
        IncompleteError: some files are damaged in the backup.
        RepositoryError, StorageUnavailableError, InfluxdbError: what was restored before stays.
    """
    repository = Repository(settings.repository)
    with record.locked(settings.folder):
        backup = backups.choose(backups.complete(repository.snapshots()), at)
        with _writer(Wanted(keep_existing=keep_existing), other) as write:
            backups.mark_restore(repository, backup)
            with repository.open(backup.snapshots[backups.FILES], archive.FILENAME) as stream:
                restored = write(stream)
        yield f"{backups.format_time(backup.time)}  {restored}"
        yield from (f"NOT restored: {names.printable(name)}" for name in restored.damaged)
        if with_metrics:
            yield from _restore_metrics(settings, repository, backup)
        backups.end_restore(repository)
    if restored.damaged:
        raise IncompleteError(
            f"{len(restored.damaged)} files are not restored, since they were damaged when the backup was made: "
            "`restore --file NAME --at TIME` may find them in an older one"
        )


def restore_file(settings: Settings, at: str | None, name: str, *, replaces: bool, other: Writer | None = None) -> str:
    """Restore one file. If there is an `other` process, it writes it.

    Raises:
        RestoreError: it is not in the backup, or exists already.
        RepositoryError, StorageUnavailableError: nothing is restored.
    """
    name = names.checked(name)
    repository = Repository(settings.repository)
    with record.locked(settings.folder):
        backup = backups.choose(backups.complete(repository.snapshots()), at)
        with (
            _writer(Wanted(name=name, replaces=replaces), other) as write,
            repository.open(backup.snapshots[backups.FILES], archive.FILENAME) as stream,
        ):
            restored = write(stream)
    return f"{backups.format_time(backup.time)}  {names.printable(name)} with {restored.bytes} bytes is restored"


def stored_state(settings: Settings, at: str | None) -> bytes:
    """Return the state that was stored at that time, by default the latest one.

    Raises:
        NoBackupError: there is none.
        RepositoryError: it cannot be read.
    """
    repository = Repository(settings.repository)
    found = [snapshot for snapshot in repository.snapshots() if backups.STATE in snapshot.tags]
    if not found:
        raise NoBackupError("no backup has a state: `now --state -` stores it")
    times = {backups.format_time(snapshot.time): snapshot for snapshot in found}
    wanted = list(reversed(found)) if at is None else [times[at]] if at in times else []
    if not wanted:
        raise NoBackupError(f'there is no state of "{at}": there are {", ".join(times)}')
    for snapshot in wanted:
        with repository.open(snapshot, backups.STATE_FILENAME) as stream:
            content = stream.read()
        with suppress(InvalidStateError):  # a process that was killed may have left half of one
            _check_json(content)
            return content
    raise NoBackupError("the stored state is cut short: `--at` chooses an older one")


def _restore_metrics(settings: Settings, repository: Repository, backup: Backup) -> Iterator[str]:
    for database in settings.databases:
        snapshot = backup.snapshots.get(metrics.TAG + database.name)
        if snapshot is None:
            yield f"the backup has no metrics of {database.name}"
            continue
        with repository.open(snapshot, metrics.filename(database.name)) as stream:
            points, said = metrics.restore(Influxdb(database), stream)
        yield f"{points} points are written to {database.name}" + (f"; {said}" if said else "")


def _check_json(state: bytes) -> None:
    try:
        json.loads(state)
    except ValueError as error:
        raise InvalidStateError(
            f"standard input is not JSON ({error}): pipe the output of `pulumi stack export` to it"
        ) from None
