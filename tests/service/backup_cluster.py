"""A cluster of one machine with a backup: its files, and a restic repository in a directory."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import ExitStack, closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from unittest.mock import patch

from catalogues import catalogue_in
from running import SERVICE

from backup import settings
from backup.__main__ import main
from backup.repository import Repository
from file_transfer import sweep
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import blocks
from file_transfer.lifetime import FOREVER, Lifetime
from file_transfer.ranges import Range
from file_transfer.stored_file import StoredFile

PASSWORD = "a password of a test"
LARGE = bytes(range(256)) * 4096


@dataclass
class BackupCluster:
    """`folder` has the files, `backups` what belongs to the backups: several clusters can have one repository."""

    folder: Path
    backups: Path
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.folder / "data", self.folder / "tmp", self.backups):
            folder.mkdir(parents=True, exist_ok=True)
        (self.backups / "password").write_text(PASSWORD)
        self.catalogue = catalogue_in(self.folder / "data", max_file=2**40)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "FILE_TRANSFER_DATA": str(self.folder / "data"),
            "BACKUP_REPOSITORY": str(self.backups / "repository"),
            "BACKUP_PASSWORD_FILE": str(self.backups / "password"),
            "BACKUP_CLUSTER": "test",
            "BACKUP_KEEP": "last=100",
            "TMPDIR": str(self.folder / "tmp"),
            **self.more,
        }

    @property
    def repository(self) -> Repository:
        return Repository(settings.load(self.environment).repository)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "backup", *arguments],
            env={**os.environ, "PYTHONPATH": str(SERVICE), **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, stdin: bytes = b"", status: int = 0) -> str:
        """Run a command that has to end with this status, and return its output, or its errors if it fails.

        It runs in this process, since a new one takes longer to import everything than the command takes.
        """
        output, errors = _Text(), _Text()
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, self.environment))
            stack.enter_context(patch.object(tempfile, "tempdir", self.environment["TMPDIR"]))
            stack.enter_context(patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))))
            stack.enter_context(redirect_stdout(output))
            stack.enter_context(redirect_stderr(errors))
            stack.callback(signal.signal, signal.SIGTERM, signal.getsignal(signal.SIGTERM))
            ended = _status(lambda: main(list(arguments)))
        assert ended == status, errors.text()
        return (errors if status else output).text()

    def run_alone(self, *arguments: str, stdin: bytes = b"", status: int = 0) -> str:
        """Run a command as `run` does, as a process of its own, as operators do."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(stdin, timeout=60)
        assert process.returncode == status, errors.decode()
        return (errors if status else output).decode()

    def restic(self, *arguments: str, check: bool = True) -> bytes:
        environment = {
            **os.environ,
            "RESTIC_REPOSITORY": self.environment["BACKUP_REPOSITORY"],
            "RESTIC_PASSWORD_FILE": self.environment["BACKUP_PASSWORD_FILE"],
            "TZ": "UTC",
        }
        command = ["restic", "--no-cache", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, check=check).stdout

    def tags(self) -> list[str]:
        """The tags of all snapshots that anybody has stored, sorted, without those that have a value."""
        listed = json.loads(self.restic("snapshots", "--json"))
        return sorted(tag for entry in listed for tag in entry.get("tags", ()) if "=" not in tag)

    def damage(self, name: str) -> None:
        """Change a byte of a file that is not small."""
        path = self.chunk(name)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def chunk(self, name: str) -> Path:
        """The chunk of a file that is not small. Each has a size of its own."""
        size = self.catalogue.look_up(name).size
        (found,) = [path for path in (self.folder / "data" / "chunks").iterdir() if path.stat().st_size == size]
        return found


class _Text(io.TextIOWrapper):
    """An output that keeps what is written to it, as text or as bytes."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), write_through=True)

    def text(self) -> str:
        return cast("io.BytesIO", self.buffer).getvalue().decode()


def _status(program: Callable[[], None]) -> int:
    """Return the status with which Python would end a process that runs this program."""
    try:
        program()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except Exception:  # noqa: BLE001 - Python ends with the same status whatever it is
        traceback.print_exc()
        return 1
    return 0


def put(catalogue: Catalogue, name: str, content: bytes, lifetime: Lifetime = FOREVER) -> StoredFile:
    with catalogue.receive() as incoming:
        incoming.write(content)
        return catalogue.publish({name: incoming}, lifetime)[name][0]


def remove(catalogue: Catalogue, name: str) -> None:
    """Remove a file, and its bytes at once."""
    catalogue.remove(name)
    sweep.sweep(catalogue)


def content_of(catalogue: Catalogue, name: str) -> bytes:
    file = catalogue.look_up(name)
    if file.data is not None:
        return file.data
    with closing(catalogue.open(file, Range(0, file.size))) as content:
        return b"".join(blocks(content))


def described(catalogue: Catalogue) -> list[tuple[object, ...]]:
    """All files: what users see of them, and their content's real SHA-256."""
    return [
        (
            file.name,
            file.size,
            file.modified,
            file.expires,
            file.downloads_left,
            file.sha256,
            hashlib.sha256(content_of(catalogue, file.name)).hexdigest(),
        )
        for file in catalogue.page("", "", 100_000)
    ]
