"""What only an object store can get wrong: it is not there, answers are lost, readers outlive what they read."""

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
from file_transfer.s3_pieces import PIECE_BYTES, parts
from file_transfer.storage import FILES, ConflictError, Piece, StorageUnavailableError


@pytest.fixture
def bucket(store: ObjectStore) -> S3Storage:
    return store.storage()


@pytest.fixture
def nowhere(store: ObjectStore) -> S3Storage:
    return S3Storage(**vars(replace(store.settings(), endpoint=f"http://127.0.0.1:{free_ports()[0]}")))


def kept(bucket: S3Storage, content: bytes) -> list[Piece]:
    with bucket.receive() as incoming:
        incoming.write(content)
        return incoming.keep()


def test_pieces_are_of_a_bounded_size(bucket: S3Storage) -> None:
    pieces = kept(bucket, b"x" * (2 * PIECE_BYTES + 5))

    assert [piece.size for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 5]


def test_a_part_is_fetched_from_the_pieces_that_hold_it() -> None:
    pieces = [Piece("a", 10), Piece("b", 3 * PIECE_BYTES), Piece("c", 10)]

    assert parts(pieces, 0, 10) == [("a", 0, 10)]
    assert parts(pieces, 9, 2) == [("a", 9, 1), ("b", 0, 1)]
    assert parts(pieces, 10 + 3 * PIECE_BYTES + 2, 3) == [("c", 2, 3)]
    assert parts(pieces, 10, PIECE_BYTES + 1) == [("b", 0, PIECE_BYTES), ("b", PIECE_BYTES, 1)]


def test_discarded_pieces_stay_for_their_readers_and_go_after_them(
    bucket: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = kept(bucket, b"content")
    bucket.discard(pieces)
    bucket.tidy()
    assert len(list(bucket.pieces())) == 1

    monkeypatch.setattr(s3, "READERS_GRACE", timedelta(seconds=-5))
    bucket.tidy()
    assert list(bucket.pieces()) == []
    bucket.tidy()


def test_marks_of_removed_records_go_after_a_while(bucket: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.remove(FILES, "name", bucket.write(FILES, "name", b"content", None))
    monkeypatch.setattr(s3, "_REMOVED_GRACE", timedelta(seconds=-5))

    bucket.tidy()

    assert list(bucket._list("files/")) == []


def test_a_write_whose_answer_was_lost_is_no_conflict_when_it_is_sent_again(
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


def test_the_same_content_written_by_two_is_a_conflict(bucket: S3Storage) -> None:
    version = bucket.write(FILES, "name", b"1", None)
    bucket.write(FILES, "name", b"2", version)

    with pytest.raises(ConflictError):
        bucket.write(FILES, "name", b"2", version)


def test_a_store_that_does_not_answer_is_said_to_be_away(nowhere: S3Storage) -> None:
    client = Client(app.create(Catalogue(nowhere, Limits(storage=nowhere, max_file=2**20)), max_transfers=4))

    upload, download = client.put("name", b"content"), client.get("name")

    for answer in (upload, download):
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert answer.text == "error: the storage cannot do this now: try again in a moment\n"
    assert not nowhere.is_ready()
    with pytest.raises(StorageUnavailableError):
        nowhere.read(FILES, "name")


def test_wrong_keys_are_not_ready(store: ObjectStore) -> None:
    assert not S3Storage(**vars(replace(store.settings(), secret_key="a wrong key"))).is_ready()


def test_a_bucket_that_comes_to_be_with_its_first_object_is_an_empty_one(store: ObjectStore) -> None:
    bucket = S3Storage(**vars(replace(store.settings(), bucket="not-there-yet", prefix="")))

    assert bucket.is_ready()
    assert list(bucket.names(FILES)) == []
    assert list(bucket.pieces()) == []
    bucket.tidy()
    bucket.write(FILES, "first", b"content", None)
    assert list(bucket.names(FILES)) == ["first"]
