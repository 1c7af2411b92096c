"""Failures that only an object store has: it is unreachable, responses are lost, chunks are discarded while read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from client import Client
from object_store import ObjectStore, free_ports

from file_transfer import app, s3
from file_transfer.catalogue import Catalogue
from file_transfer.limits import Limits
from file_transfer.s3 import S3Storage
from file_transfer.s3_chunks import CHUNK_BYTES, chunk_ranges
from file_transfer.storage import FILES, Chunk, ConflictError, StorageUnavailableError


@pytest.fixture
def bucket(store: ObjectStore) -> S3Storage:
    return store.storage()


@pytest.fixture
def unreachable(store: ObjectStore) -> S3Storage:
    return S3Storage(**vars(replace(store.settings(), endpoint=f"http://127.0.0.1:{free_ports()[0]}")))


def write_chunks(bucket: S3Storage, content: bytes) -> list[Chunk]:
    with bucket.receive() as incoming:
        incoming.write(content)
        return incoming.keep()


def test_chunks_have_a_limited_size(bucket: S3Storage) -> None:
    chunks = write_chunks(bucket, b"x" * (2 * CHUNK_BYTES + 5))

    assert [chunk.size for chunk in chunks] == [CHUNK_BYTES, CHUNK_BYTES, 5]


def test_a_range_is_fetched_from_the_chunks_that_contain_it() -> None:
    chunks = [Chunk("a", 10), Chunk("b", 3 * CHUNK_BYTES), Chunk("c", 10)]

    assert chunk_ranges(chunks, 0, 10) == [("a", 0, 10)]
    assert chunk_ranges(chunks, 9, 2) == [("a", 9, 1), ("b", 0, 1)]
    assert chunk_ranges(chunks, 10 + 3 * CHUNK_BYTES + 2, 3) == [("c", 2, 3)]
    assert chunk_ranges(chunks, 10, CHUNK_BYTES + 1) == [("b", 0, CHUNK_BYTES), ("b", CHUNK_BYTES, 1)]


def test_discarded_chunks_are_kept_until_their_readers_have_finished(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = write_chunks(bucket, b"content")
    bucket.discard(chunks)
    bucket.tidy()
    assert len(list(bucket.chunks())) == 1

    monkeypatch.setattr(s3, "READERS_GRACE", timedelta(seconds=-5))
    bucket.tidy()
    assert list(bucket.chunks()) == []
    bucket.tidy()


def test_marks_of_removed_records_are_deleted_later(bucket: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.remove(FILES, "name", bucket.write(FILES, "name", b"content", None))
    monkeypatch.setattr(s3, "_REMOVED_GRACE", timedelta(seconds=-5))

    bucket.tidy()

    assert list(bucket._list("files/")) == []


def test_a_repeated_write_whose_first_response_was_lost_is_not_a_conflict(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent_twice(*arguments: Any, **options: Any) -> Any:
        put(*arguments, **options)
        return put(*arguments, **options)

    put = s3.obstore.put
    monkeypatch.setattr(s3.obstore, "put", sent_twice)
    version = bucket.write(FILES, "name", b"1", None)

    assert bucket.write(FILES, "name", b"2", version)
    assert bucket.read(FILES, "name").content == b"2"


def test_the_same_content_from_two_writers_is_a_conflict(bucket: S3Storage) -> None:
    version = bucket.write(FILES, "name", b"1", None)
    bucket.write(FILES, "name", b"2", version)

    with pytest.raises(ConflictError):
        bucket.write(FILES, "name", b"2", version)


def test_an_unreachable_store_is_reported_as_not_available(unreachable: S3Storage) -> None:
    client = Client(app.create(Catalogue(unreachable, Limits(storage=unreachable, max_file=2**20)), max_transfers=4))

    upload, download = client.put("name", b"content"), client.get("name")

    for response in (upload, download):
        assert (response.status, response.headers["retry-after"]) == (503, "5")
        assert response.text == "error: the storage is not available: try again in a moment\n"
    assert not unreachable.is_ready()
    with pytest.raises(StorageUnavailableError):
        unreachable.read(FILES, "name")


def test_with_wrong_keys_the_storage_is_not_ready(store: ObjectStore) -> None:
    assert not S3Storage(**vars(replace(store.settings(), secret_key="a wrong key"))).is_ready()


def test_a_bucket_that_does_not_exist_yet_is_empty(store: ObjectStore) -> None:
    bucket = S3Storage(**vars(replace(store.settings(), bucket="not-there-yet", prefix="")))

    assert bucket.is_ready()
    assert list(bucket.names(FILES)) == []
    assert list(bucket.chunks()) == []
    bucket.tidy()
    bucket.write(FILES, "first", b"content", None)
    assert list(bucket.names(FILES)) == ["first"]
