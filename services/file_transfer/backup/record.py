"""What became of the last backups, in a file that all processes of the container share, and the lock between them."""

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

_LOCK = "backup.lock"
_RECORD = "backup.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The last complete backup: when it began (Unix time, 0 if there is none), and what it has.

    `failures` counts what has failed since the container started; `last_failure` is the time of the last failed backup.
    """

    last_success: float = 0
    last_failure: float = 0
    failures: int = 0
    files: int = 0
    damaged: int = 0


def read(folder: Path) -> Record:
    """Return what is recorded in the folder."""
    try:
        return Record(**json.loads((folder / _RECORD).read_bytes()))
    except FileNotFoundError:
        return Record()


def write(folder: Path, record: Record) -> None:
    """Record it. Hold the lock, since others would write what they have read before."""
    new = folder / f"{_RECORD}.new"
    new.write_text(json.dumps(asdict(record)))
    new.replace(folder / _RECORD)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process of the container makes or restores a backup, and keep others from doing so."""
    with (folder / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("backup: waiting for another backup or restore to end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
