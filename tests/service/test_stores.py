"""What every chunk store does, whatever it keeps the bytes in."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from reserved_keys import ReservedKeys, keep, read

from file_transfer.chunks import Chunk, ChunkStore, MissingChunkError, StorageUnavailableError
from file_transfer.stores.bucket import BucketStore
from file_transfer.stores.directory import DirectoryStore
from file_transfer.stores.incoming import CHUNK_BYTES

SEVERAL_CHUNKS = os.urandom(2 * CHUNK_BYTES + 12_345)


@pytest.fixture(params=["directory", "seaweedfs", "bucket"])
def chunk_store(request: pytest.FixtureRequest, tmp_path: Path) -> ChunkStore:
    if request.param == "directory":
        return DirectoryStore(tmp_path / "chunks")
    if request.param == "seaweedfs":
        found: ChunkStore = request.getfixturevalue("seaweedfs_cluster").store()
        return found
    return BucketStore(**vars(request.getfixturevalue("s3_gateway").settings()))


def test_no_content_has_no_chunks(chunk_store: ChunkStore) -> None:
    assert keep(chunk_store) == []
    assert keep(chunk_store, b"") == []
    assert read(chunk_store, []) == b""


def test_one_byte_is_one_chunk(chunk_store: ChunkStore) -> None:
    chunks = keep(chunk_store, b"x")

    assert [chunk.size for chunk in chunks] == [1]
    assert read(chunk_store, chunks) == b"x"


def test_content_of_several_chunks_is_read_as_it_was_written(chunk_store: ChunkStore) -> None:
    pieces = [SEVERAL_CHUNKS[start : start + 100_003] for start in range(0, len(SEVERAL_CHUNKS), 100_003)]

    chunks = keep(chunk_store, *pieces)

    assert sum(chunk.size for chunk in chunks) == len(SEVERAL_CHUNKS)
    assert read(chunk_store, chunks) == SEVERAL_CHUNKS


def test_any_range_can_be_read(chunk_store: ChunkStore) -> None:
    end = len(SEVERAL_CHUNKS)
    chunks = [*keep(chunk_store, SEVERAL_CHUNKS[:10]), *keep(chunk_store, SEVERAL_CHUNKS[10:])]

    for start, size in (
        (0, 1),
        (9, 2),
        (10, 5),
        (CHUNK_BYTES + 9, 2),
        (3, CHUNK_BYTES + 20),
        (end - 1, 1),
        (7, end - 7),
    ):
        assert read(chunk_store, chunks, start, size) == SEVERAL_CHUNKS[start : start + size], (start, size)


def test_a_caller_may_reuse_its_buffer(chunk_store: ChunkStore) -> None:
    buffer = bytearray(CHUNK_BYTES)
    expected = b""
    with chunk_store.receive(ReservedKeys(chunk_store)) as incoming:
        for digit in b"123":
            buffer[:] = bytes([digit]) * len(buffer)
            expected += buffer
            incoming.write(memoryview(buffer))
        chunks = incoming.keep()

    assert read(chunk_store, chunks) == expected


def test_all_that_was_stored_is_under_reserved_keys(chunk_store: ChunkStore) -> None:
    keys = ReservedKeys(chunk_store)
    with chunk_store.receive(keys) as incoming:
        incoming.write(SEVERAL_CHUNKS)
        chunks = incoming.keep()

    assert {chunk.key for chunk in chunks} <= set(keys.reserved)
    assert len(set(keys.reserved)) == len(keys.reserved)


def test_what_is_not_kept_can_be_deleted_by_its_reserved_keys(chunk_store: ChunkStore) -> None:
    keys = ReservedKeys(chunk_store)
    with suppress(KeyboardInterrupt), chunk_store.receive(keys) as incoming:
        incoming.write(SEVERAL_CHUNKS)
        raise KeyboardInterrupt

    chunk_store.delete(keys.reserved)

    assert keys.reserved
    for key in keys.reserved:
        with pytest.raises(MissingChunkError):
            chunk_store.open([Chunk(key, 1)], 0, 1)


def test_deleting_again_or_what_was_never_there_is_fine(chunk_store: ChunkStore) -> None:
    chunks = keep(chunk_store, SEVERAL_CHUNKS)
    keys = [*(chunk.key for chunk in chunks), *chunk_store.choose_keys(1)]

    chunk_store.delete(keys)
    chunk_store.delete(keys)
    chunk_store.delete([])

    with pytest.raises(MissingChunkError):
        chunk_store.open(chunks, 0, 1)


def test_deleting_a_chunk_leaves_the_others(chunk_store: ChunkStore) -> None:
    deleted, kept = keep(chunk_store, b"deleted"), keep(chunk_store, b"kept")

    chunk_store.delete([chunk.key for chunk in deleted])

    assert read(chunk_store, kept) == b"kept"


def test_a_missing_chunk_is_noticed_before_the_first_block_or_at_the_latest_when_its_turn_comes(
    chunk_store: ChunkStore,
) -> None:
    first, second = keep(chunk_store, b"first"), keep(chunk_store, b"second")
    chunk_store.delete([first[0].key])

    with pytest.raises(MissingChunkError):
        chunk_store.open([*first, *second], 0, 11)
    with pytest.raises(MissingChunkError):
        read(chunk_store, [*second, *first])


def test_a_chunk_that_is_shorter_than_the_index_says_is_not_read(chunk_store: ChunkStore) -> None:
    chunks = keep(chunk_store, b"short")

    with pytest.raises((MissingChunkError, StorageUnavailableError)):
        read(chunk_store, [replace(chunks[0], size=6)])


def test_content_that_is_closed_early_or_never_read_leaves_nothing_open(chunk_store: ChunkStore) -> None:
    chunks = [*keep(chunk_store, b"first"), *keep(chunk_store, b"second")]

    chunk_store.open(chunks, 0, 11).close()
    chunk_store.open(chunks[:1], 0, 5).close()

    assert read(chunk_store, chunks) == b"firstsecond"


def test_the_number_of_keys_follows_from_the_size(chunk_store: ChunkStore) -> None:
    for size in (None, 0, 1, 3 * CHUNK_BYTES + 1, 2**40):
        keys = chunk_store.choose_keys(size)
        assert 1 <= len(set(keys)) == len(keys) <= 16, size


def test_a_store_that_works_passes_its_checks(chunk_store: ChunkStore) -> None:
    chunk_store.check()
    chunk_store.check_writable()


def test_free_space_is_known_or_unknown(chunk_store: ChunkStore) -> None:
    free = chunk_store.free_bytes()

    assert (free is None) == isinstance(chunk_store, BucketStore)
    assert free is None or 0 < free < 2**60
