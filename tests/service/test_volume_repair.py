"""What a volume server finds after `kill -9` or a power failure, and what the repair before its start makes of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import seaweedfs
from reserved_keys import ReservedKeys, read
from running import wait_until
from seaweedfs import Cluster

from file_transfer.chunks import Chunk

REPAIR = Path("components/scripts/repair_volumes.sh")
ENTRY_BYTES = 17
CONTENTS = [os.urandom(size) for size in (1, 100_000, 8, 3, 4096)]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without volumes, whose files a test may damage."""
    with seaweedfs.running(tmp_path) as running:
        yield running


def store_in_one_volume(cluster: Cluster) -> list[Chunk]:
    store = cluster.store()
    chunks = []
    keys = ReservedKeys(store, size=2**40)
    for content in CONTENTS:
        with store.receive(keys) as incoming:
            incoming.write(content)
            chunks += incoming.keep()
    return chunks


def repair(folder: Path, weed: Path = Path(sys.prefix) / "bin") -> str:
    environment = {**os.environ, "PATH": f"{weed}:{os.environ['PATH']}"}
    result = subprocess.run(["sh", REPAIR, folder], env=environment, capture_output=True, text=True, check=True)
    return result.stderr


def shorten(path: Path, count: int) -> None:
    os.truncate(path, path.stat().st_size - count)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut_from_volume", "cut_from_index", "complete"),
    [
        pytest.param(0, ENTRY_BYTES, 5, id="the last chunk is not in the index"),
        pytest.param(0, 3 * ENTRY_BYTES, 5, id="the last three chunks are not in the index"),
        pytest.param(0, 5 * ENTRY_BYTES, 5, id="the index is empty"),
        pytest.param(0, 5, 5, id="an entry of the index is there in part"),
        pytest.param(100, 0, 4, id="the last chunk is there in part"),
        pytest.param(100, ENTRY_BYTES, 4, id="the last chunk is there in part and not in the index"),
        pytest.param(4100, 3 * ENTRY_BYTES, 4, id="only a piece of the last chunk's header is there"),
    ],
)
def test_an_interrupted_volume_works_again_and_has_all_complete_chunks(
    cluster: Cluster, cut_from_volume: int, cut_from_index: int, complete: int
) -> None:
    chunks = store_in_one_volume(cluster)
    volume = chunks[0].key.partition(",")[0]
    cluster.kill("node1")
    shorten(cluster.folder("node1") / f"{volume}.dat", cut_from_volume)
    shorten(cluster.folder("node1") / f"{volume}.idx", cut_from_index)

    assert f"the last writes to volume {volume} were interrupted" in repair(cluster.folder("node1"))

    assert repair(cluster.folder("node1")) == ""
    cluster.start("node1")
    wait_until(cluster.is_ready, seconds=60)
    assert cluster.read_only_volumes("node1") == []
    for number, (chunk, content) in enumerate(zip(chunks, CONTENTS, strict=True)):
        assert cluster.copies(chunk.key).get("node1") == (content if number < complete else None)
        assert read(cluster.store(), [chunk]) == content
    cluster.store().delete([chunk.key for chunk in chunks])
    assert all(cluster.copies(chunk.key) == {} for chunk in chunks)


@pytest.mark.slow
def test_without_repair_chunks_are_not_found_and_nothing_can_be_deleted(cluster: Cluster) -> None:
    chunks = store_in_one_volume(cluster)
    volume = chunks[0].key.partition(",")[0]
    cluster.kill("node1")
    shorten(cluster.folder("node1") / f"{volume}.idx", ENTRY_BYTES)
    cluster.start("node1")
    wait_until(cluster.is_ready, seconds=60)

    assert cluster.read_only_volumes("node1") == [int(volume)]
    assert "node1" not in cluster.copies(chunks[-1].key)


@pytest.mark.slow
def test_a_volume_server_that_was_stopped_or_killed_while_idle_needs_no_repair(cluster: Cluster) -> None:
    chunks = store_in_one_volume(cluster)
    cluster.store().delete([chunks[-1].key])
    cluster.kill("node1")
    before = {path: path.read_bytes() for path in cluster.folder("node1").iterdir()}

    assert repair(cluster.folder("node1")) == ""

    assert {path: path.read_bytes() for path in cluster.folder("node1").iterdir()} == before


@pytest.mark.slow
def test_a_deletion_that_is_not_in_the_index_is_found_again(cluster: Cluster) -> None:
    chunks = store_in_one_volume(cluster)
    volume = chunks[0].key.partition(",")[0]
    cluster.store().delete([chunks[1].key])
    cluster.kill("node1")
    shorten(cluster.folder("node1") / f"{volume}.idx", ENTRY_BYTES)

    repair(cluster.folder("node1"))

    cluster.start("node1")
    wait_until(cluster.is_ready, seconds=60)
    assert cluster.copies(chunks[1].key) == {}
    assert cluster.copies(chunks[2].key) == {"node0": CONTENTS[2], "node1": CONTENTS[2]}
    assert cluster.read_only_volumes("node1") == []


def test_an_empty_directory_needs_no_repair(tmp_path: Path) -> None:
    assert repair(tmp_path) == ""


@pytest.mark.parametrize(("version", "offset"), [("30GB", "00000002"), ("8000GB", "0000000200")])
def test_both_builds_of_seaweedfs_are_understood(tmp_path: Path, version: str, offset: str) -> None:
    """A chunk of 100 bytes takes 136: a header of 16, a checksum of 4, a time of 8, and a whole padding of 8."""
    weed = tmp_path / "weed"
    weed.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "version {version} 4.48" || echo "called with: $*" >&2\n')
    weed.chmod(0o755)
    (tmp_path / "1.dat").write_bytes(bytes(16 + 128 + 8))
    (tmp_path / "1.idx").write_bytes(bytes.fromhex(f"{1:016x}{offset}{100:08x}"))
    assert repair(tmp_path, weed=tmp_path) == ""

    (tmp_path / "1.dat").write_bytes(bytes(16 + 128 + 9))
    assert f"fix {tmp_path}/1.dat" in repair(tmp_path, weed=tmp_path)
