"""The catalogue on each kind of storage: files are complete or absent, whatever happens in between."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from file_transfer import sweep
from file_transfer.catalogue import Catalogue, UnknownFileError
from file_transfer.conditions import Conditions
from file_transfer.errors import RefusedError
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits
from file_transfer.ranges import Range
from file_transfer.s3 import S3Storage
from file_transfer.storage import FILES, ConflictError, Storage, StorageUnavailableError, blocks
from file_transfer.stored_file import StoredFile, now

MIB = 2**20
NO_FILE_YET = Conditions(none_match=frozenset({"*"}))


@pytest.fixture
def catalogue(storage: Storage) -> Catalogue:
    return Catalogue(storage, Limits(storage=storage, max_file=64 * MIB))


def store(catalogue: Catalogue, name: str, content: bytes, **terms: object) -> StoredFile:
    with catalogue.receive() as incoming_file:
        incoming_file.write(content)
        return incoming_file.publish(name, **terms)[0]  # type: ignore[arg-type]


def content_of(catalogue: Catalogue, name: str, wanted: Range | None = None) -> bytes:
    file = catalogue.look_up(name)
    with closing(catalogue.open(file, wanted or Range(0, file.size))) as content:
        parts = b"".join(blocks(content))
    return parts if wanted is None else parts[: wanted.size]


def test_an_unpublished_file_leaves_nothing(catalogue: Catalogue, storage: Storage) -> None:
    with pytest.raises(KeyboardInterrupt), catalogue.receive() as incoming_file:  # noqa: PT012 - the whole block is interrupted
        incoming_file.write(b"h" * 9 * MIB)
        raise KeyboardInterrupt

    assert list(catalogue.files()) == []
    assert_only_chunks(storage, set())


def assert_only_chunks(storage: Storage, keys: set[str]) -> None:
    """Check which chunks are left. In a bucket, discarded chunks stay for their readers and count as deleted."""
    discarded = set()
    if isinstance(storage, S3Storage):
        for mark in storage._list("discarded/"):
            record = storage._read(mark["path"])
            assert record
            discarded |= set(json.loads(record.content))
    assert {stored.chunk.key for stored in storage.chunks()} - discarded == keys


def test_content_of_many_chunks_can_be_read_whole_and_in_ranges(catalogue: Catalogue) -> None:
    content = bytes(range(256)) * (9 * MIB // 256) + b"end"
    file = store(catalogue, "large", content)

    assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert content_of(catalogue, "large") == content
    for start, size in ((0, 1), (4 * MIB - 1, 2), (4 * MIB, 4 * MIB), (len(content) - 3, 3), (5, 8 * MIB)):
        assert content_of(catalogue, "large", Range(start, size)) == content[start : start + size]


def test_a_reader_keeps_the_version_it_began_with(catalogue: Catalogue) -> None:
    old = b"o" * 13 * MIB
    store(catalogue, "name", old)
    file = catalogue.look_up("name")
    with closing(catalogue.open(file, Range(0, file.size))) as content:
        parts = blocks(content)
        begin = next(parts)
        store(catalogue, "name", b"newer")
        assert begin + b"".join(parts) == old

    assert content_of(catalogue, "name") == b"newer"


def test_many_writers_of_one_name_leave_one_whole_version(catalogue: Catalogue, storage: Storage) -> None:
    versions = [bytes([number]) * 50_000 for number in range(48)]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda content: store(catalogue, "contested", content), versions))

    assert content_of(catalogue, "contested") in versions
    assert_only_chunks(storage, {chunk.key for chunk in catalogue.look_up("contested").chunks})


def test_only_one_of_many_creators_succeeds(catalogue: Catalogue) -> None:
    def create(number: int) -> bool:
        try:
            store(catalogue, "once", str(number).encode(), condition=NO_FILE_YET)
        except RefusedError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(create, range(32)))

    assert created.count(True) == 1
    assert content_of(catalogue, "once") == str(created.index(True)).encode()


def test_a_removed_name_can_be_used_again(catalogue: Catalogue) -> None:
    for content in (b"first", b"second"):
        store(catalogue, "name", content, condition=NO_FILE_YET)
        assert content_of(catalogue, "name") == content
        catalogue.remove("name")

    with pytest.raises(UnknownFileError):
        catalogue.remove("name")
    assert list(catalogue.files()) == []


def test_the_list_is_sorted_and_begins_where_it_should(catalogue: Catalogue) -> None:
    long = "n" * 120
    names = ["a", "a#1", "ab", "b~", "é", "日本", "z%20", "Z", long, long + "0", long + "~" * 135, long[:-1] + "o"]
    for name in names:
        store(catalogue, name, b"")

    def listed(prefix: str = "", after: str = "") -> list[str]:
        return [file.name for file in catalogue.files(prefix, after)]

    assert listed() == sorted(names)
    assert listed(prefix="a") == ["a", "a#1", "ab"]
    assert listed(prefix="a", after="a") == ["a#1", "ab"]
    assert listed(after="o") == ["z%20", "é", "日本"]
    assert listed(prefix="日") == ["日本"]
    assert listed(prefix=long) == listed(prefix=long[:-1])[:3] == [long, long + "0", long + "~" * 135]
    assert listed(prefix=long, after=long + "0") == [long + "~" * 135]


def test_an_expired_file_is_treated_as_absent(catalogue: Catalogue) -> None:
    store(catalogue, "old", b"content", lifetime=Lifetime(expires=now() - timedelta(seconds=1)))
    kept = store(catalogue, "kept", b"content", lifetime=Lifetime(expires=now() + timedelta(hours=1)))

    with pytest.raises(UnknownFileError):
        catalogue.look_up("old")
    assert list(catalogue.files()) == [kept]
    assert store(catalogue, "old", b"again", condition=NO_FILE_YET).size == 5


def test_the_number_of_downloads_is_limited(catalogue: Catalogue) -> None:
    file = store(catalogue, "twice", b"content", lifetime=Lifetime(downloads=2))
    catalogue.count_download(file)
    catalogue.count_download(file)

    with pytest.raises(UnknownFileError):
        catalogue.count_download(file)
    with pytest.raises(UnknownFileError):
        catalogue.look_up("twice")


def test_concurrent_downloads_do_not_exceed_the_limit(catalogue: Catalogue) -> None:
    def take(_: int) -> bool:
        try:
            catalogue.count_download(file)
        except UnknownFileError:
            return False
        return True

    file = store(catalogue, "few", b"content", lifetime=Lifetime(downloads=5))
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(take, range(32)))

    assert taken.count(True) == 5


def test_the_sweep_removes_only_expired_files(catalogue: Catalogue, storage: Storage) -> None:
    store(catalogue, "over", b"1" * MIB, lifetime=Lifetime(expires=now() - timedelta(seconds=1)))
    kept = store(catalogue, "kept", b"2" * MIB)

    assert sweep.sweep(storage) == 1
    assert content_of(catalogue, "kept") == b"2" * MIB
    assert list(storage.names(FILES)) == ["kept"]
    assert_only_chunks(storage, {chunk.key for chunk in kept.chunks})


def test_old_chunks_without_a_record_are_swept(
    catalogue: Catalogue, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with storage.receive() as incoming:
        incoming.write(b"lost")
        (lost,) = incoming.keep()
    kept = store(catalogue, "kept", b"content")

    assert sweep.sweep(storage) == 0
    monkeypatch.setattr(sweep, "now", lambda: now() + timedelta(days=3))
    assert sweep.sweep(storage) == 1
    assert content_of(catalogue, "kept") == b"content"
    assert_only_chunks(storage, {chunk.key for chunk in kept.chunks} - {lost.key})


def test_a_record_changes_only_from_the_expected_version(storage: Storage) -> None:
    first = storage.write(FILES, "name", b"1", None)
    second = storage.write(FILES, "name", b"2", first)

    for stale in (None, first):
        with pytest.raises(ConflictError):
            storage.write(FILES, "name", b"3", stale)
        if stale:
            with pytest.raises(ConflictError):
                storage.remove(FILES, "name", stale)
    assert storage.read(FILES, "name").content == b"2"
    storage.remove(FILES, "name", second)
    assert storage.write(FILES, "name", b"4", None)


def test_chunks_stay_if_publishing_may_have_succeeded(
    catalogue: Catalogue, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_response(*arguments: object) -> str:
        write(*arguments)  # type: ignore[arg-type]
        raise StorageUnavailableError("the response was lost")

    write = storage.write
    with monkeypatch.context() as patched:
        patched.setattr(storage, "write", lost_response)
        with pytest.raises(StorageUnavailableError):
            store(catalogue, "name", b"content")

    assert content_of(catalogue, "name") == b"content"
