"""Backups of `storage: directory`: the service may only read the files, and another process restores them."""

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, BinaryIO, Self, cast

import pytest
from backup_cluster import LARGE, BackupCluster, content_of, described, put, remove
from running import SERVICE, wait_until

from backup import pipe
from backup.archive import BLOCK_BYTES, ArchiveError
from backup.pipe import Writer
from backup.restore import RestoreError, Wanted
from file_transfer.catalogue import Catalogue
from file_transfer.clock import now
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Owner

pytestmark = pytest.mark.slow

SECONDS = 120

READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; shift; exec "$@"'
"""A script that runs a command to which a folder is a file system that cannot be written, as a volume is to a task."""


@pytest.fixture
def cluster(tmp_path: Path, restic_repository: Path) -> BackupCluster:
    """A cluster with an empty repository."""
    made = BackupCluster(tmp_path / "cluster", tmp_path / "backups")
    shutil.copytree(restic_repository, made.backups / "repository")
    return made


@pytest.fixture
def other(tmp_path: Path) -> BackupCluster:
    """A new cluster with the same backups."""
    return BackupCluster(tmp_path / "other", tmp_path / "backups")


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Wait for its end, and return its status, its output unless another process reads that, and its errors."""
    output, errors = process.communicate(timeout=SECONDS)
    return process.returncode, (output or b"").decode(), errors.decode()


def run_read_only(cluster: BackupCluster, *arguments: str) -> tuple[int, str, str]:
    """Run a command to which the folder with the files is read-only. Return its status, its output and its errors.

    The root of this mount namespace is as little able to write there as any user.
    """
    command = ["unshare", "--mount", "sh", "-euc", READ_ONLY, "sh", str(cluster.folder / "data")]
    environment = {**os.environ, "PYTHONPATH": str(SERVICE), **cluster.environment}
    return ended(
        subprocess.Popen(
            [*command, sys.executable, "-m", "backup", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    )


@contextmanager
def two_processes(cluster: BackupCluster, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], ...]]:
    """Start a restore as `operations.backups` does: a reader that has no files, and a writer that has no repository."""
    environment = {**os.environ, "PYTHONPATH": str(SERVICE)}
    files = {name: value for name, value in cluster.environment.items() if name.startswith("FILE_TRANSFER_")}
    nowhere = {**cluster.environment, "FILE_TRANSFER_DATA": "/proc/no-files"}
    to_writer, to_reader = os.pipe(), os.pipe()

    def start(words: Sequence[str], variables: dict[str, str], pipes: tuple[int, int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "backup", *words],
            env={**environment, **variables},
            stdin=pipes[0],
            stdout=pipes[1],
            stderr=subprocess.PIPE,
        )

    reader = start(["restore", *arguments, "--piped"], nowhere, (to_reader[0], to_writer[1]))
    writer = start(["write"], files, (to_writer[0], to_reader[1]))
    for end in (*to_writer, *to_reader):
        os.close(end)
    try:
        yield reader, writer
    finally:
        for process in (reader, writer):
            process.kill()
            process.communicate()


def restore(cluster: BackupCluster, *arguments: str, status: int = 0) -> str:
    """Restore with two processes, and return what the reader says, which has to end with this status."""
    with two_processes(cluster, *arguments) as (reader, writer):
        found, _, said = ended(reader)
        written, _, errors = ended(writer)
    assert found == status, said + errors
    assert (written, errors) == (0, ""), "only the reader reports"
    return said


class Busy:
    """Threads that store, replace and remove files all the time. What a file has to contain can be told from itself."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.changes = 0
        self._catalogue = catalogue
        self._has_to_stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(3)]

    @staticmethod
    def content(name: str, number: int) -> bytes:
        """Every other version is small enough to be in the index."""
        return f"{name} {number} ".encode() * (500 if number % 2 else 20_000)

    @classmethod
    def is_whole(cls, name: str, content: bytes) -> bool:
        number = content.split(maxsplit=2)[1]
        return content == cls.content(name, int(number))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_until(lambda: self.changes > 20, SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._has_to_stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, thread: int) -> None:
        number = 0
        while not self._has_to_stop.is_set():
            name = f"busy-{thread}-{number % 7}"
            put(self._catalogue, name, self.content(name, number))
            if number % 3 == 0:
                remove(self._catalogue, name)
            number += 1
            self.changes += 1


def check_backup_of_busy_files(
    cluster: BackupCluster, other: BackupCluster, back_up: Callable[[], tuple[int, str, str]]
) -> None:
    for number in range(30):
        put(cluster.catalogue, f"a stays {number}", os.urandom(100_000 * (number % 3) + 5))
        put(cluster.catalogue, f"z stays {number}", os.urandom(100_000 * (number % 3) + 5))
    stays = [row for row in described(cluster.catalogue) if " stays " in str(row[0])]

    with Busy(cluster.catalogue) as busy:
        before = busy.changes
        status, output, errors = back_up()
        during = busy.changes - before

    assert (status, errors) == (0, "")
    assert "DAMAGED" not in output
    assert during, "files were changed while the backup was made"
    restore(other)
    found = described(other.catalogue)
    assert [row for row in found if " stays " in str(row[0])] == stays, "what nobody has changed is in it"
    busy_names = [str(row[0]) for row in found if str(row[0]).startswith("busy")]
    assert busy_names
    assert all(row[5] == row[6] for row in found)
    assert all(Busy.is_whole(name, content_of(other.catalogue, name)) for name in busy_names)


def test_a_backup_made_while_files_change_has_each_of_them_whole(cluster: BackupCluster, other: BackupCluster) -> None:
    check_backup_of_busy_files(cluster, other, lambda: ended(cluster.start("now")))


@pytest.mark.needs_root  # to mount the folder read-only
def test_a_backup_made_while_files_change_only_reads_them(cluster: BackupCluster, other: BackupCluster) -> None:
    check_backup_of_busy_files(cluster, other, lambda: run_read_only(cluster, "now"))


@pytest.mark.needs_root  # to mount the folder read-only
def test_a_process_that_may_only_read_leaves_the_files_as_they_are(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "name", LARGE)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (cluster.folder / "data").rglob("*"))

    status, output, errors = run_read_only(cluster, "now")

    assert (status, errors) == (0, "")
    assert output.endswith(f"Z  1 files, {len(LARGE)} bytes\n")
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (cluster.folder / "data").rglob("*")) == before
    remove(cluster.catalogue, "name")
    status, _, errors = run_read_only(cluster, "restore", "--file", "name")
    assert status == 1
    assert "chunks is not writable" in errors


def test_another_user_may_read_the_files(cluster: BackupCluster) -> None:
    """The service that makes backups has a user of its own."""
    put(cluster.catalogue, "name", LARGE)

    paths = list((cluster.folder / "data").rglob("*"))

    assert {path.name for path in paths} >= {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "chunks"}
    assert all(path.stat().st_mode & 0o004 for path in paths)
    assert all(path.stat().st_mode & 0o022 == 0 for path in paths), "and nobody else may write them"


def test_an_empty_storage_is_restored_by_two_processes(cluster: BackupCluster, other: BackupCluster) -> None:
    put(cluster.catalogue, "empty", b"")
    put(cluster.catalogue, "small", b"small", Lifetime(expires=now() + timedelta(hours=1), downloads=3))
    put(cluster.catalogue, "large", LARGE * 9 + b"end")
    with cluster.catalogue.receive(40_000, Owner(name="ci")) as incoming:
        incoming.write(b"x" * 40_000)
        cluster.catalogue.publish({"of a token": incoming}, Lifetime())
    time = cluster.run("now").split()[0]

    said = restore(other)

    assert said == f"{time}  4 files with {len(LARGE) * 9 + 40_008} bytes are restored\n"
    assert described(other.catalogue) == described(cluster.catalogue)
    assert other.catalogue.owner(other.catalogue.look_up("of a token")) == "ci"
    assert "NOT ended" not in cluster.run("list")


def test_one_file_that_was_deleted_comes_back_and_the_others_stay(cluster: BackupCluster) -> None:
    for name in ("a", "b", "c"):
        put(cluster.catalogue, name, name.encode() * 3_000_000)
    cluster.run("now")
    before = described(cluster.catalogue)
    versions = {file.name: file.version for file in cluster.catalogue.page("", "", 9)}
    remove(cluster.catalogue, "b")

    assert "'b' with 3000000 bytes is restored" in restore(cluster, "--file", "b")

    assert described(cluster.catalogue) == before
    after = {file.name: file.version for file in cluster.catalogue.page("", "", 9)}
    assert {name for name in versions if after[name] != versions[name]} == {"b"}


def test_a_file_that_exists_is_replaced_only_on_request(cluster: BackupCluster) -> None:
    put(cluster.catalogue, "name", b"old")
    cluster.run("now")
    put(cluster.catalogue, "name", b"new")

    assert restore(cluster, "--file", "name", status=1) == "backup: the file 'name' exists: --replace replaces it\n"
    assert content_of(cluster.catalogue, "name") == b"new"
    restore(cluster, "--file", "name", "--replace")
    assert content_of(cluster.catalogue, "name") == b"old"
    assert "there is no file 'other' in this backup" in restore(cluster, "--file", "other", status=1)


def test_what_exists_is_not_overwritten_and_a_refused_restore_has_not_begun(
    cluster: BackupCluster, other: BackupCluster
) -> None:
    put(cluster.catalogue, "a", LARGE)
    put(cluster.catalogue, "b", b"b")
    cluster.run("now")
    put(other.catalogue, "b", b"mine")

    assert "the index has 1 files: a restore is for an empty cluster" in restore(other, status=1)
    assert "NOT ended" not in cluster.run("list"), "or no backup would be made any more"
    assert f"1 files with {len(LARGE)} bytes are restored; 1 exist already" in restore(other, "--keep-existing")
    assert (content_of(other.catalogue, "a"), content_of(other.catalogue, "b")) == (LARGE, b"mine")


def test_a_writer_that_fails_is_reported_by_the_reader(cluster: BackupCluster, other: BackupCluster) -> None:
    put(cluster.catalogue, "a", b"a")
    put(cluster.catalogue, "b", LARGE * 9)
    cluster.run("now")
    other.more = {"FILE_TRANSFER_MIN_FREE_BYTES": str(2**62)}

    said = restore(other, status=1)

    assert "0 files with 0 bytes are restored, then: there is no space left for the file" in said
    assert "its restore has NOT ended" in cluster.run("list")


RESTIC = """#!/bin/sh
case " $* " in *" dump "*) {restic} "$@" | head -c 2000000; exec cat 3>&1 >/dev/null ;; esac
exec {restic} "$@"
"""
"""A restic that prints the beginning of a file and then waits for the end of the writer, to which its input leads."""


@pytest.mark.parametrize("killed", ["the reader", "the writer"])
def test_if_one_process_is_killed_the_other_one_ends(
    cluster: BackupCluster, other: BackupCluster, tmp_path: Path, killed: str
) -> None:
    put(cluster.catalogue, "first", LARGE)
    put(cluster.catalogue, "many blocks", os.urandom(20 * BLOCK_BYTES))
    cluster.run("now")
    (tmp_path / "restic").write_text(RESTIC.format(restic=shutil.which("restic")))
    (tmp_path / "restic").chmod(0o755)
    other.more = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    with two_processes(other) as (reader, writer):
        wait_until(lambda: other.catalogue.find("first") is not None, SECONDS)
        victim, survivor = (reader, writer) if killed == "the reader" else (writer, reader)
        victim.send_signal(signal.SIGKILL)
        status, _, said = ended(survivor)

    if survivor is reader:
        assert status == 1
        assert "the process that writes the files ended early" in said
    assert other.catalogue.find("many blocks") is None
    assert "its restore has NOT ended" in cluster.run("list")
    other.more = {}
    assert "1 exist already" in restore(other, "--keep-existing")
    assert described(other.catalogue) == described(cluster.catalogue)


def piped(content: bytes) -> BinaryIO:
    """Return the end to read of a pipe with this content, which nobody writes to any more."""
    end, start = os.pipe()
    with os.fdopen(start, "wb") as target:
        target.write(content)
    return cast("BinaryIO", os.fdopen(end, "rb"))


def test_the_reader_stops_once_the_writer_has_what_it_wants() -> None:
    stream = io.BytesIO(bytes(100 * BLOCK_BYTES))
    target = io.BytesIO()
    with piped(b'{}\n{"files": 1, "bytes": 7}\n') as answers:
        writer = Writer(cast("BinaryIO", answers), cast("BinaryIO", target))
        writer.agree(Wanted(name="name"))

        restored = writer.restore(cast("IO[bytes]", stream))

    assert (restored.files, restored.bytes) == (1, 7)
    assert stream.tell() == 0
    assert target.getvalue() == b'{"name": "name", "replaces": false, "keep_existing": false}\n' + bytes(4)


def test_a_writer_that_is_gone_before_it_agrees_is_an_error() -> None:
    with (
        piped(b"") as answers,
        pytest.raises(RestoreError, match="ended early; its own error is above"),
    ):
        Writer(answers, cast("BinaryIO", io.BytesIO())).agree(Wanted())


@pytest.mark.parametrize("sent", [b"", b'{"keep_existing": true}\n', b'{"keep_existing": true}\n\0\0\1\0half a block'])
def test_a_reader_that_ends_early_is_an_error_of_the_writer(cluster: BackupCluster, sent: bytes) -> None:
    @contextmanager
    def storage() -> Iterator[Catalogue]:
        yield cluster.catalogue

    answers = io.BytesIO()

    pipe.write(cast("BinaryIO", io.BytesIO(sent)), cast("BinaryIO", answers), storage, (ArchiveError,))

    assert b"the process that reads the backup ended early" in answers.getvalue().splitlines()[-1]
    assert cluster.catalogue.page("", "", 1) == []
