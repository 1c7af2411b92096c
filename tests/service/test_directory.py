"""The directory: whole files or none, whatever happens in between."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from file_transfer import directory
from file_transfer.directory import DirectoryStorage
from file_transfer.storage import StorageFullError, UnknownFileError


def store(storage: DirectoryStorage, name: str, content: bytes) -> None:
    with storage.receive() as incoming:
        incoming.write(content)
        incoming.publish(name)


def content_of(storage: DirectoryStorage, name: str) -> bytes:
    _, file = storage.open(name)
    with file:
        return file.read()


def files_on_disk(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").rglob("*") if path.is_file())


def test_what_is_not_published_leaves_nothing(storage: DirectoryStorage, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), storage.receive() as incoming:  # noqa: PT012 - all of it is interrupted
        incoming.write(b"half")
        raise KeyboardInterrupt

    assert files_on_disk(tmp_path) == []


def test_a_reader_keeps_the_version_it_began_with(storage: DirectoryStorage) -> None:
    store(storage, "name", b"old")
    stored, file = storage.open("name")
    store(storage, "name", b"newer")

    with file:
        assert (stored.size, file.read()) == (3, b"old")
    assert content_of(storage, "name") == b"newer"


def test_replacing_keeps_one_object(storage: DirectoryStorage, tmp_path: Path) -> None:
    for content in (b"1", b"22", b"333"):
        store(storage, "name", content)

    assert len([path for path in files_on_disk(tmp_path) if path.startswith("objects/")]) == 1


def test_many_writers_of_one_name_leave_one_whole_version(storage: DirectoryStorage, tmp_path: Path) -> None:
    versions = [bytes([number]) * 50_000 for number in range(64)]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda content: store(storage, "contested", content), versions))

    assert content_of(storage, "contested") in versions
    assert len([path for path in files_on_disk(tmp_path) if path.startswith("objects/")]) == 1
    assert [path for path in files_on_disk(tmp_path) if path.startswith("incoming/")] == []


def test_two_processes_see_the_same(storage: DirectoryStorage, tmp_path: Path) -> None:
    store(storage, "name", b"content")

    assert content_of(DirectoryStorage(tmp_path / "data"), "name") == b"content"


def test_a_full_disk_is_named_and_the_old_version_stays(
    storage: DirectoryStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, "name", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(directory.os, "fsync", full)
        with pytest.raises(StorageFullError):
            store(storage, "name", b"new")

    assert content_of(storage, "name") == b"old"
    assert len(files_on_disk(tmp_path)) == 2 + 1, "an object, a manifest, a lock"


def test_a_publication_that_dies_half_way_leaves_the_old_version(
    storage: DirectoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, "name", b"old")
    monkeypatch.setattr(directory.json, "dump", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))

    with pytest.raises(RuntimeError, match="killed"):
        store(storage, "name", b"new")

    assert content_of(storage, "name") == b"old"


def test_a_failure_after_the_name_changed_hands_keeps_the_new_version(
    storage: DirectoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(storage, "name", b"old")
    synced = []

    def broken(folder: Path) -> None:
        synced.append(folder.name)
        if folder.name == "names":
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(directory, "_sync", broken)
    with pytest.raises(OSError, match="Input/output error"):
        store(storage, "name", b"new")

    assert synced == ["objects", "names"]
    assert content_of(storage, "name") == b"new"


def test_content_that_somebody_took_away_is_an_error_and_no_endless_search(
    storage: DirectoryStorage, tmp_path: Path
) -> None:
    store(storage, "name", b"content")
    for path in (tmp_path / "data" / "objects").iterdir():
        path.unlink()

    with pytest.raises(FileNotFoundError):
        storage.open("name")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small file system")
def test_a_really_full_disk_takes_nothing_and_keeps_the_old_version(tmp_path: Path) -> None:
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


def test_leftovers_are_swept_by_age_and_nothing_else(storage: DirectoryStorage, tmp_path: Path) -> None:
    store(storage, "kept", b"content")
    long_ago = time.time() - 2 * 24 * 3600
    for folder, name, age in (
        ("incoming", "old", long_ago),
        ("objects", "lost", long_ago),
        ("incoming", "fresh", None),
    ):
        path = tmp_path / "data" / folder / name
        path.write_bytes(b"x")
        if age:
            os.utime(path, (age, age))
    for path in (tmp_path / "data" / "objects").iterdir():
        os.utime(path, (long_ago, long_ago))

    assert storage.sweep() == 2
    assert content_of(storage, "kept") == b"content"
    assert "incoming/fresh" in files_on_disk(tmp_path)


def test_an_unknown_name_is_an_error_of_its_own(storage: DirectoryStorage) -> None:
    with pytest.raises(UnknownFileError):
        storage.open("never stored")
