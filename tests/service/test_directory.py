"""Failures that only a directory has: full disks, processes that die halfway, files that others leave or remove."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from file_transfer import directory as module
from file_transfer.catalogue import Catalogue
from file_transfer.directory import DirectoryStorage
from file_transfer.limits import Limits
from file_transfer.storage import StorageFullError


def catalogue_over(storage: DirectoryStorage) -> Catalogue:
    return Catalogue(storage, Limits(storage=storage, max_file=2**30))


def store(storage: DirectoryStorage, name: str, content: bytes) -> None:
    with catalogue_over(storage).receive() as incoming_file:
        incoming_file.write(content)
        incoming_file.publish(name)


def content_of(storage: DirectoryStorage, name: str) -> bytes:
    file = catalogue_over(storage).look_up(name)
    with storage.open(file.chunks, 0, file.size) as content:  # type: ignore[union-attr]
        return content.read()


def files_on_disk(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").rglob("*") if path.is_file())


def test_two_processes_see_the_same_files(directory: DirectoryStorage, tmp_path: Path) -> None:
    store(directory, "name", b"content")

    assert content_of(DirectoryStorage(tmp_path / "data"), "name") == b"content"


def test_replacing_keeps_one_chunk(directory: DirectoryStorage, tmp_path: Path) -> None:
    for content in (b"1", b"22", b"333"):
        store(directory, "name", content)

    assert [path.partition("/")[0] for path in files_on_disk(tmp_path)] == ["files", "locks", "pieces"]


def test_a_full_disk_is_reported_and_the_old_version_stays(
    directory: DirectoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(directory, "name", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", full)
        with pytest.raises(StorageFullError):
            store(directory, "name", b"new")

    assert content_of(directory, "name") == b"old"
    assert len(files_on_disk(tmp_path)) == 2 + 1, "a chunk, a record, a lock"


def test_a_disk_that_fills_up_during_an_upload_is_reported_too(
    directory: DirectoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel reports the error only once, to the thread that flushes, so it must not be lost there."""
    synced: list[int] = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_FLUSH_BYTES", 4)
    monkeypatch.setattr(module.os, "fdatasync", full)
    with pytest.raises(StorageFullError):
        store(directory, "name", b"content")

    assert len(synced) == 1
    assert files_on_disk(tmp_path) == []


def test_a_disk_too_full_for_the_record_keeps_no_chunk(
    directory: DirectoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(directory, "name", b"old")

    def full(*_: object) -> None:
        raise StorageFullError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(directory, "write", full)
        with pytest.raises(StorageFullError):
            store(directory, "name", b"new")

    assert content_of(directory, "name") == b"old"
    assert len(files_on_disk(tmp_path)) == 2 + 1, "a chunk, a record, a lock"


def test_a_failure_after_the_record_was_replaced_keeps_the_new_version(
    directory: DirectoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(directory, "name", b"old")
    synced = []

    def broken(folder: Path) -> None:
        synced.append(folder.name)
        if folder.name == "files":
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "_sync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        store(directory, "name", b"new")

    assert synced == ["pieces", "files"]
    assert content_of(directory, "name") == b"new"


def test_content_that_was_removed_by_hand_is_an_error(directory: DirectoryStorage, tmp_path: Path) -> None:
    store(directory, "name", b"content")
    for path in (tmp_path / "data" / "pieces").iterdir():
        path.unlink()

    with pytest.raises(FileNotFoundError):
        content_of(directory, "name")


@pytest.mark.needs_root  # to mount a small file system
def test_a_really_full_disk_stores_nothing_and_keeps_the_old_version(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], check=True)
    try:
        small = DirectoryStorage(root)
        store(small, "name", b"old")
        with pytest.raises(StorageFullError):
            store(small, "name", bytes(2 * 2**20))

        assert content_of(small, "name") == b"old"
        assert list((root / "incoming").iterdir()) == []
        store(small, "name", bytes(2**19))
    finally:
        subprocess.run(["umount", root], check=True)


def test_old_unfinished_files_are_deleted(directory: DirectoryStorage, tmp_path: Path) -> None:
    incoming = tmp_path / "data" / "incoming"
    for name, days in (("old", 2), ("fresh", 0)):
        (incoming / name).write_bytes(b"x")
        long_ago = time.time() - days * 24 * 3600
        os.utime(incoming / name, (long_ago, long_ago))

    directory.tidy()

    assert [path.name for path in incoming.iterdir()] == ["fresh"]
