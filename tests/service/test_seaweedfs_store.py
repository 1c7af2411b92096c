"""How chunks are written, read and deleted on SeaweedFS's volume servers."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import seaweedfs
from prometheus_client import REGISTRY
from reserved_keys import ReservedKeys, keep, read
from running import wait_until
from seaweedfs import Cluster, Requests, is_writable

from file_transfer.chunks import MissingChunkError, StorageFullError, StorageUnavailableError
from file_transfer.stores.incoming import CHUNK_BYTES
from file_transfer.stores.seaweedfs import SeaweedFsStore
from file_transfer.stores.seaweedfs_client import Client, Response
from file_transfer.stores.seaweedfs_health import space_for_copies

CONTENT = os.urandom(2 * CHUNK_BYTES + 1)

pytestmark = pytest.mark.usefixtures("impatient")


def test_kept_content_is_on_both_volume_servers(cluster: Cluster) -> None:
    chunks = keep(cluster.store(), CONTENT)

    for chunk, start in zip(chunks, range(0, len(CONTENT), CHUNK_BYTES), strict=True):
        expected = CONTENT[start : start + chunk.size]
        assert cluster.copies(chunk.key) == {"node0": expected, "node1": expected}


@pytest.mark.parametrize("fsync", [True, False])
def test_both_volume_servers_are_asked_to_write_to_the_disk(cluster: Cluster, requested: Requests, fsync: bool) -> None:
    keep(cluster.store(fsync=fsync), b"content")

    puts = {(address, path.partition("?")[2]) for method, address, path in requested if method == "PUT"}
    options = "type=replicate&fsync=true" if fsync else "type=replicate"
    assert puts == {(cluster.address("node0"), options), (cluster.address("node1"), options)}


def test_text_is_stored_as_it_is_so_that_ranges_of_it_are_cheap(cluster: Cluster) -> None:
    before = cluster.stored_bytes()
    chunks = keep(cluster.store(), b"text " * 10_000)

    assert read(cluster.store(), chunks, 5, 10) == b"text text "
    assert cluster.stored_bytes() > before + 2 * 50_000


def test_a_download_prefers_the_copy_on_its_own_node(cluster: Cluster, requested: Requests) -> None:
    chunks = keep(cluster.store(), CONTENT)
    for node in ("node0", "node1"):
        store = cluster.store(node=node)
        requested.clear()
        assert read(store, chunks) == CONTENT
        assert {address for _, address, _ in requested} == {cluster.master, cluster.address(node)}


def test_a_chunk_is_missing_only_if_no_copy_can_be_anywhere(cluster: Cluster) -> None:
    store = cluster.store()
    chunks = keep(store, b"content")
    cluster.delete_copy("node0", chunks[0].key)
    assert read(store, chunks) == b"content"

    cluster.kill("node1")
    wait_until(lambda: cluster.connected() == {"node0"}, seconds=60)
    for unsure in (store, cluster.store()):
        with pytest.raises(StorageUnavailableError):
            unsure.open(chunks, 0, 7)

    cluster.start("node1")
    wait_until(cluster.is_ready, seconds=60)
    assert read(store, chunks) == b"content"
    cluster.delete_copy("node1", chunks[0].key)
    with pytest.raises(MissingChunkError):
        store.open(chunks, 0, 7)


@pytest.mark.parametrize("size", [100_000, 1024 * 1024 + 1, CHUNK_BYTES])
def test_a_damaged_copy_is_never_sent_and_is_counted(
    cluster: Cluster, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    store, content = cluster.store(node="node0"), os.urandom(size)
    (chunk,) = keep(store, content)
    cluster.damage("node0", content)
    before = unreadable_copies()

    assert read(store, [chunk]) == content
    assert read(store, [chunk], 0, 10) == content[:10]
    assert read(store, [chunk], size // 2, 10) == content[size // 2 :][:10]

    assert unreadable_copies() == before + 3
    assert f"{cluster.address('node0')} of node node0 cannot read its copy of chunk {chunk.key}" in caplog.text
    cluster.damage("node1", content)
    with pytest.raises(StorageUnavailableError):
        store.open([chunk], 0, 10)
    store.delete([chunk.key])


def unreadable_copies() -> float:
    return REGISTRY.get_sample_value("file_transfer_unreadable_copies_total") or 0


def test_a_deletion_that_missed_a_copy_is_an_error_and_deletes_it_when_it_is_repeated(cluster: Cluster) -> None:
    store = cluster.store()
    keys = [chunk.key for chunk in keep(store, CONTENT)]
    cluster.freeze("node1")
    with pytest.raises(StorageUnavailableError):
        store.delete(keys)
    cluster.thaw("node1")
    for key in keys:
        cluster.delete_copy("node0", key)

    wait_until(lambda: is_writable(store), seconds=60)
    store.delete(keys)

    assert all(cluster.copies(key) == {} for key in keys)


def test_a_deletion_waits_until_all_copies_are_connected(cluster: Cluster) -> None:
    store = cluster.store()
    key = keep(store, b"content")[0].key
    cluster.kill("node1")
    wait_until(lambda: cluster.connected() == {"node0"}, seconds=60)

    with pytest.raises(StorageUnavailableError):
        cluster.store().delete([key])

    cluster.start("node1")
    wait_until(cluster.is_ready, seconds=60)
    cluster.store().delete([key])
    assert cluster.copies(key) == {}


def test_a_chunk_in_a_volume_that_is_gone_counts_as_deleted(cluster: Cluster) -> None:
    cluster.store().delete(["999,01637037d6"])


def test_a_chunk_whose_place_fails_is_stored_elsewhere(cluster: Cluster) -> None:
    store = cluster.store()
    keys = ReservedKeys(store, first=["999,01637037d6"])
    with store.receive(keys) as incoming:
        incoming.write(b"content")
        chunks = incoming.keep()

    assert read(store, chunks) == b"content"
    assert chunks[0].key in keys.reserved[1:]


def test_many_uploads_of_one_chunk_share_a_question_to_the_master(cluster: Cluster, requested: Requests) -> None:
    store = cluster.store()

    keys = [store.choose_keys(1)[0] for _ in range(10)]

    assert len(set(keys)) == 10
    assert sum("/dir/assign" in path for _, _, path in requested) == 1


def test_an_upload_whose_place_failed_does_not_get_another_key_there(cluster: Cluster, requested: Requests) -> None:
    store = cluster.store()
    store.choose_keys(1)
    keys = ReservedKeys(store, first=["999,01637037d6"], size=1)
    with store.receive(keys) as incoming:
        incoming.write(b"content")
        incoming.keep()

    assert sum("/dir/assign" in path for _, _, path in requested) == 2


def is_full(store: SeaweedFsStore) -> bool:
    try:
        store.choose_keys(1)
    except StorageFullError:
        return True
    except StorageUnavailableError:
        return False
    return False


def test_full_volume_servers_are_reported_as_full(tmp_path: Path) -> None:
    with seaweedfs.running(tmp_path, volume_options=["-minFreeSpace=100"]) as cluster:
        store = cluster.store()
        wait_until(lambda: is_full(store))  # the volume servers tell the master after their first look at the disk
        with pytest.raises(StorageFullError, match="no space left"):
            keep(store, b"content")
        store.check_writable()  # so that an upload is answered with the reason, and not with "try again"


def test_an_upload_waits_for_volumes_that_are_being_made(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    request, answers = Client.request, itertools.count()

    def growing(self: Client, method: str, address: str, path: str, **options: Any) -> Response:
        if path.startswith("/dir/assign") and next(answers) < 2:
            return Response(406, b'{"error":"no writable volumes for {}, volume growth in progress"}')
        return request(self, method, address, path, **options)

    monkeypatch.setattr(Client, "request", growing)
    store = cluster.store()
    store.check_writable()
    assert read(store, keep(store, b"content")) == b"content"


def test_a_full_disk_is_reported_as_full(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Client.request

    def full(self: Client, method: str, address: str, path: str, **options: Any) -> Response:
        if method == "PUT" and address == cluster.address("node1"):
            return Response(500, b'{"error":"append to volume 3: write /data/3.dat: no space left on device"}')
        return request(self, method, address, path, **options)

    monkeypatch.setattr(Client, "request", full)
    with pytest.raises(StorageFullError, match="disk of the volume server"):
        keep(cluster.store(), b"content")


def test_the_space_for_a_file_is_what_all_its_copies_can_use() -> None:
    assert space_for_copies([10], 1) == 10
    assert space_for_copies([10, 3], 2) == 3
    assert space_for_copies([10, 3, 4], 2) == 7, "each byte has a copy on the first server"
    assert space_for_copies([5, 5, 5], 2) == 7
    assert space_for_copies([10, 10, 1], 3) == 1
    assert space_for_copies([10], 2) is None


def test_a_key_whose_number_was_assigned_again_can_be_deleted(seaweedfs_cluster: Cluster) -> None:
    """A restarted master does so with numbers under which nothing had been stored."""
    store = seaweedfs_cluster.store()
    (chunk,) = keep(store, b"kept")
    cookie = int(chunk.key[-8:], 16)

    store.delete([f"{chunk.key[:-8]}{cookie ^ 1:08x}"])

    assert read(store, [chunk]) == b"kept"
