"""Failures that only a directory has: full disks, processes that die halfway, files that others delete."""

import os
import subprocess
from pathlib import Path

import pytest
from reserved_keys import ReservedKeys, keep, read

from file_transfer.chunks import MissingChunkError, StorageFullError, StorageUnavailableError
from file_transfer.stores import directory as module
from file_transfer.stores import incoming_file
from file_transfer.stores.directory import DirectoryStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "chunks")


def files(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "chunks").iterdir()]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_two_processes_see_the_same_chunks(store: DirectoryStore, tmp_path: Path) -> None:
    assert read(DirectoryStore(tmp_path / "chunks"), keep(store, b"content")) == b"content"


def test_content_is_one_chunk_whose_file_has_its_key_as_name(store: DirectoryStore, tmp_path: Path) -> None:
    chunks = keep(store, b"one", b"two")

    assert files(tmp_path) == [chunk.key for chunk in chunks]


def test_one_chunk_is_opened_as_a_real_file_at_the_position(store: DirectoryStore) -> None:
    chunks = [*keep(store, b"first"), *keep(store, b"second")]

    with store.open(chunks, 7, 3) as file:  # type: ignore[union-attr]
        os.fstat(file.fileno())
        assert file.read(3) == b"con"


def test_deleted_chunks_stay_readable_for_those_who_have_opened_them(store: DirectoryStore, tmp_path: Path) -> None:
    chunks = [*keep(store, b"first"), *keep(store, b"second")]
    opened = [store.open(chunks[:1], 0, 5), store.open(chunks, 0, 11)]

    store.delete([chunk.key for chunk in chunks])

    assert files(tmp_path) == []
    with opened[0] as file:  # type: ignore[union-attr]
        assert file.read() == b"first"
    assert b"".join(opened[1]) == b"firstsecond"


def test_content_of_very_many_chunks_needs_few_open_files(store: DirectoryStore) -> None:
    chunks = [chunk for number in range(3 * module._OPEN_AT_ONCE) for chunk in keep(store, bytes([number]))]
    before = open_files()

    content = store.open(chunks, 0, len(chunks))
    most = max(open_files() for _ in content)

    assert most - before <= module._OPEN_AT_ONCE + 1
    assert read(store, chunks) == bytes(range(len(chunks)))


def test_a_full_disk_is_reported_and_nothing_is_left(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming_file.os, "fsync", full)

    with pytest.raises(StorageFullError):
        keep(store, b"content")

    assert files(tmp_path) == []


def test_a_disk_that_fills_up_during_an_upload_is_reported_too(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel reports the error only once, to the thread that flushes, so it must not be lost there."""
    monkeypatch.setattr(incoming_file, "_FLUSH_BYTES", 4)
    monkeypatch.setattr(incoming_file.os, "fdatasync", full)

    with pytest.raises(StorageFullError):
        keep(store, b"content")

    assert files(tmp_path) == []


@pytest.mark.needs_root  # to mount a small file system
def test_a_really_full_disk_stores_nothing(tmp_path: Path) -> None:
    root = tmp_path / "chunks"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], check=True)
    try:
        small = DirectoryStore(root)
        with pytest.raises(StorageFullError):
            keep(small, bytes(2 * 2**20))

        assert files(tmp_path) == []
        keep(small, bytes(2**19))
    finally:
        subprocess.run(["umount", root], check=True)


def test_what_a_killed_process_has_left_is_deleted_by_its_key(store: DirectoryStore, tmp_path: Path) -> None:
    keys = ReservedKeys(store)
    incoming = store.receive(keys)
    incoming.__enter__().write(b"content")  # and then the process is gone
    assert files(tmp_path) == keys.reserved

    store.delete(keys.reserved)

    assert files(tmp_path) == []


def test_a_chunk_that_was_removed_or_cut_by_hand_is_missing(store: DirectoryStore, tmp_path: Path) -> None:
    chunks = keep(store, b"content")
    os.truncate(tmp_path / "chunks" / chunks[0].key, 6)
    with pytest.raises(MissingChunkError, match="shorter than 7 bytes"):
        store.open(chunks, 0, 7)

    (tmp_path / "chunks" / chunks[0].key).unlink()
    with pytest.raises(MissingChunkError, match="is gone"):
        store.open(chunks, 0, 7)


def test_a_directory_that_is_gone_fails_the_checks(store: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "chunks").rmdir()

    with pytest.raises(StorageUnavailableError, match="not readable"):
        store.check()
    with pytest.raises(StorageUnavailableError, match="not writable"):
        store.check_writable()


def test_a_chunk_that_cannot_be_deleted_is_an_error(store: DirectoryStore, tmp_path: Path) -> None:
    (tmp_path / "chunks" / "key").mkdir()

    with pytest.raises(StorageUnavailableError, match="key cannot be deleted"):
        store.delete(["key"])


def test_a_chunk_is_kept_only_after_its_file_and_then_its_name_are_on_the_disk(
    store: DirectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    chunk = keep(store, b"content")[0]

    assert synced == [str(tmp_path / "chunks" / chunk.key), str(tmp_path / "chunks")]
