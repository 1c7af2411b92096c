"""The repository, which restic reads and writes: it encrypts, deduplicates and forgets what is old.

Only options that restic has from 0.14 on are used.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, BinaryIO, cast

from backup.settings import RepositorySettings
from file_transfer.chunks import Data

_STOP_SECONDS = 3
_END_SECONDS = 1
_ANSWER_SECONDS = 30
"""How long the repository has to answer at the start: restic itself would keep trying for a quarter of an hour."""

_NO_REPOSITORY = 10
_WRONG_PASSWORD = 12


class RepositoryError(Exception):
    """The repository cannot be used. The message contains restic's."""


class WrongPasswordError(RepositoryError):
    """The repository has another password."""


@dataclass(frozen=True)
class Snapshot:
    """One file in the repository, and when its backup began (UTC)."""

    id: str
    time: datetime
    tags: frozenset[str]


class Sink:
    """The standard input of a restic that stores a snapshot."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe: IO[bytes] | None = pipe

    def write(self, data: Data) -> int:
        """Write the next bytes. Those of an abandoned snapshot are ignored.

        Raises:
            RepositoryError: restic has ended.
        """
        try:
            return self._pipe.write(data) if self._pipe else len(data)
        except BrokenPipeError:
            raise RepositoryError("restic ended early") from None

    def abandon(self) -> None:
        """Ignore what is still written. A tar archive writes its last block even if it is given up."""
        self._pipe = None


class Repository:
    """The snapshots of one cluster in a repository, which other clusters may share."""

    def __init__(self, settings: RepositorySettings) -> None:
        self._location = settings.location
        self._cluster = settings.cluster
        keys = {
            "AWS_ACCESS_KEY_ID": settings.access_key,
            "AWS_SECRET_ACCESS_KEY": settings.secret_key,
            "AWS_DEFAULT_REGION": settings.region,
        }
        self._environment = {
            **os.environ,
            **{name: value for name, value in keys.items() if value},
            "RESTIC_REPOSITORY": settings.location,
            "RESTIC_PASSWORD_FILE": str(settings.password_file),
            "TZ": "UTC",  # restic reads --time as local time
        }

    def prepare(self, *, had_backups: bool = False) -> None:
        """Create the repository if there is none, and remove the locks of processes that were killed.

        Raises:
            WrongPasswordError: there is one, with another password.
            RepositoryError: it cannot be reached or written, or one that `had_backups` is gone.
        """
        try:
            self._run("unlock", seconds=_ANSWER_SECONDS)
        except _NoRepositoryError:
            if had_backups:
                raise RepositoryError(
                    f'the repository "{self._location}" is gone, and it had backups: is its directory still mounted?'
                ) from None
            # restic reports the same if it cannot look. Then `init` fails too: it never overwrites a repository.
            self._run("init", seconds=_ANSWER_SECONDS)

    def snapshots(self) -> list[Snapshot]:
        """Return the cluster's snapshots, sorted by time.

        Raises:
            RepositoryError: they cannot be read.
        """
        listed = json.loads(self._run("snapshots", "--json", "--no-lock", "--host", self._cluster)) or []
        found = [
            Snapshot(entry["id"], datetime.fromisoformat(entry["time"]).astimezone(UTC), frozenset(entry["tags"] or ()))
            for entry in listed
            if "tags" in entry
        ]
        return sorted(found, key=lambda snapshot: snapshot.time)

    @contextmanager
    def store(self, time: datetime, tags: Sequence[str], filename: str) -> Iterator[Sink]:
        """Store what is written as one snapshot. If the context ends with an exception, there is none.

        Raises:
            RepositoryError: it cannot be stored.
        """
        command = self._command("backup", "--quiet", "--host", self._cluster, "--time", f"{time:%Y-%m-%d %H:%M:%S}")
        command += [*(f"--tag={tag}" for tag in tags), "--stdin", "--stdin-filename", filename]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=self._environment
            )
            pipe = cast("IO[bytes]", process.stdin)
            sink = Sink(pipe)
            try:
                yield sink
                with suppress(BrokenPipeError):  # then its status says that it failed
                    pipe.close()
                process.wait()
            except RepositoryError:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
                self._check(process.returncode, errors)
                raise
            finally:
                sink.abandon()
                _stop(process)
                with suppress(BrokenPipeError):
                    pipe.close()
            self._check(process.returncode, errors)

    @contextmanager
    def open(self, snapshot: Snapshot, filename: str) -> Iterator[BinaryIO]:
        """Open the snapshot's file. The caller need not read all of it.

        Raises:
            RepositoryError: it cannot be read.
        """
        # Without a lock, the repository may be read-only. Only this service removes data, and not while it restores.
        command = self._command("dump", "--no-lock", snapshot.id, filename)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=self._environment)
            pipe = cast("BinaryIO", process.stdout)
            try:
                yield pipe
                if pipe.read(1):
                    return
                process.wait()
            except Exception:
                # A file that ends early is an error to its reader, too, but restic's is the cause.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
                self._check(process.returncode, errors)
                raise
            finally:
                _stop(process)
                pipe.close()
            self._check(process.returncode, errors)

    def keep_only(self, keep: Sequence[tuple[str, int]], tags: Sequence[str]) -> frozenset[str]:
        """Forget the snapshots with one of these tags that need not be kept, and return their ids.

        Raises:
            RepositoryError: it failed; it can be repeated.
        """
        self._run("unlock")  # an interrupted backup may have left its lock
        kept = [f"--keep-{kind}={count}" for kind, count in keep]
        selected = [f"--tag={tag}" for tag in tags]
        groups = self._run("forget", "--json", "--host", self._cluster, "--group-by", "host,tags", *selected, *kept)
        # restic prints nothing if there is no such snapshot.
        return frozenset(entry["id"] for group in json.loads(groups or b"[]") for entry in group["remove"] or ())

    def forget(self, snapshots: Collection[Snapshot]) -> None:
        """Forget these snapshots, and delete what no snapshot needs any more.

        Raises:
            RepositoryError: it failed; it can be repeated.
        """
        if snapshots:
            self._run("forget", "--quiet", "--prune", *(snapshot.id for snapshot in snapshots))

    def _run(self, *arguments: str, seconds: float | None = None) -> bytes:
        """Run restic and return its output. Without `seconds`, it may take as long as it needs."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self._command(*arguments), stdout=subprocess.PIPE, stderr=errors, env=self._environment
            )
            try:
                output, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise RepositoryError(
                    f'the repository "{self._location}" does not answer within {seconds} s: {_last_lines(errors)}'
                ) from None
            finally:
                _stop(process)
            self._check(process.returncode, errors)
            return output

    def _command(self, *arguments: str) -> list[str]:
        # A cache would be as large as the repository's index, and /tmp is a small file system in memory. restic still
        # needs some 100 MiB there, for the packs that it is uploading.
        return ["restic", "--no-cache", *arguments]

    def _check(self, status: int | None, errors: IO[bytes]) -> None:
        """Raise the error that restic reports, if it has ended and failed."""
        if not status:
            return
        message = _last_lines(errors) or f"restic ended with status {status}"
        if status == _WRONG_PASSWORD or "wrong password" in message:
            raise WrongPasswordError(
                f'the repository "{self._location}" has another password than the one in BACKUP_PASSWORD_FILE: '
                f"give the password with which it was created ({message})"
            )
        kind = RepositoryError
        if status == _NO_REPOSITORY or "Is there a repository" in message:
            kind = _NoRepositoryError
        raise kind(f'the repository "{self._location}": {message}')


class _NoRepositoryError(RepositoryError):
    """There is no repository, or restic cannot see whether there is one."""


def _last_lines(errors: IO[bytes]) -> str:
    """Return what restic wrote last to its standard error."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-3:]).removeprefix("Fatal: ")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End restic if it is running. Its standard input must still be open: closing it would complete the snapshot."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # so that it removes its lock
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
