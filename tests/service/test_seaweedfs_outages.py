"""Uploads and downloads while SeaweedFS's servers are gone, hang or move."""

import os
import threading

import pytest
from reserved_keys import ReservedKeys, keep, read
from running import wait_until
from seaweedfs import Cluster, Requests, is_writable

from file_transfer.chunks import StorageUnavailableError
from file_transfer.stores import seaweedfs as store_module
from file_transfer.stores.incoming import CHUNK_BYTES
from file_transfer.stores.seaweedfs_copies import Copies
from file_transfer.stores.seaweedfs_masters import Masters

CONTENT = os.urandom(2 * CHUNK_BYTES + 1)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("impatient")]


def test_without_a_volume_server_uploads_are_refused_and_downloads_go_on(cluster: Cluster) -> None:
    store = cluster.store(node="node1")
    chunks = keep(store, CONTENT)
    cluster.kill("node1")

    with pytest.raises(
        StorageUnavailableError, match=f"only 1 of the 2 .* are up; {cluster.address('node1')} does not"
    ):
        store.check_writable()
    with pytest.raises(StorageUnavailableError):
        keep(store, b"content")
    store.check()
    assert read(store, chunks) == CONTENT

    cluster.start("node1")
    wait_until(lambda: is_writable(store), seconds=60)
    assert read(store, keep(store, b"content")) == b"content"


def test_an_upload_fails_if_a_volume_server_is_gone_in_the_middle(cluster: Cluster) -> None:
    store = cluster.store()
    keys = ReservedKeys(store)
    with store.receive(keys) as incoming:
        incoming.write(CONTENT[:CHUNK_BYTES])
        cluster.kill("node1")
        with pytest.raises(StorageUnavailableError):
            incoming.write(CONTENT * 3)


def test_an_upload_goes_on_if_the_volume_server_is_back_in_time(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_PATIENCE_SECONDS", 60)
    store = cluster.store()
    keys = ReservedKeys(store)
    with store.receive(keys) as incoming:
        incoming.write(CONTENT)
        cluster.kill("node1")
        cluster.start("node1")
        chunks = incoming.keep()

    assert read(store, chunks) == CONTENT
    assert all(len(cluster.copies(chunk.key)) == 2 for chunk in chunks)
    assert {chunk.key for chunk in chunks} <= set(keys.reserved)


def test_a_chunk_is_stored_at_the_second_try_however_long_the_first_one_took(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(copies: Copies, key: str, content: bytearray) -> None:
        tried.append(key)
        if len(tried) == 1:
            raise StorageUnavailableError("it took too long")
        store_copy(copies, key, content)

    tried: list[str] = []
    store_copy = Copies.put
    monkeypatch.setattr(Copies, "put", put)
    monkeypatch.setattr(store_module, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(store_module, "_PATIENCE_IN_OUTAGE_SECONDS", 0)

    chunks = keep(cluster.store(), b"content")

    assert [chunk.key for chunk in chunks] == tried[1:]
    assert len(set(tried)) == 2, "the second try is elsewhere"


def test_keys_are_chosen_once_the_masters_are_back(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_PATIENCE_SECONDS", 60)
    store = cluster.store()
    cluster.kill("master")
    chosen: list[str] = []
    choosing = threading.Thread(target=lambda: chosen.extend(store.choose_keys(1)))
    choosing.start()

    cluster.start("master")
    choosing.join(60)

    assert len(chosen) == 1


def test_a_volume_server_that_hangs_stops_uploads_and_delays_downloads_once(cluster: Cluster) -> None:
    store = cluster.store(node="node1")
    chunks = keep(store, CONTENT)
    cluster.freeze("node1")

    with pytest.raises(StorageUnavailableError):
        keep(store, CONTENT)
    assert read(store, chunks) == CONTENT
    with pytest.raises(StorageUnavailableError, match="only 1 of the 2"):
        store.check_writable()
    with pytest.raises(StorageUnavailableError, match="does not answer"):
        store.choose_keys(1)

    cluster.thaw("node1")
    wait_until(lambda: is_writable(store), seconds=60)
    assert all(len(cluster.copies(chunk.key)) == 2 for chunk in keep(store, CONTENT))


def test_a_download_first_asks_the_servers_that_answered_last(cluster: Cluster, requested: Requests) -> None:
    store = cluster.store(node="node1")
    chunks = keep(store, b"content")
    cluster.freeze("node1")
    with pytest.raises(StorageUnavailableError):
        store.check_writable()
    requested.clear()

    assert read(store, chunks) == b"content"
    assert [address for _, address, _ in requested] == [cluster.address("node0")]


def test_without_the_master_downloads_go_on_of_chunks_never_read_before_too(
    cluster: Cluster, requested: Requests
) -> None:
    store = cluster.store()
    store.check_writable()
    chunks = keep(cluster.store(), CONTENT)
    cluster.kill("master")

    assert read(store, chunks) == CONTENT
    requested.clear()
    assert read(store, chunks) == CONTENT
    assert cluster.master not in {address for _, address, _ in requested}, "it is known to be down"
    store.check()
    with pytest.raises(StorageUnavailableError, match="no SeaweedFS master answers"):
        store.check_writable()
    with pytest.raises(StorageUnavailableError, match="no SeaweedFS master answers"):
        keep(store, b"content")

    cluster.kill("node0")
    assert read(store, chunks) == CONTENT

    cluster.start("node0")
    cluster.start("master")
    wait_until(lambda: is_writable(store), seconds=60)
    assert read(store, keep(store, b"content")) == b"content"


def test_a_process_that_starts_without_a_master_finds_the_volume_servers_by_name(cluster: Cluster) -> None:
    chunks = keep(cluster.store(), CONTENT)
    cluster.kill("master")
    cluster.kill("node1")
    names = [f"localhost:{cluster.ports[name]}" for name in ("node1", "node0")]

    store = cluster.store(volume_servers=names)

    assert read(store, chunks) == CONTENT
    store.check()


def test_without_any_server_chunks_are_not_missing_but_unreachable(cluster: Cluster) -> None:
    store = cluster.store()
    chunks = keep(store, b"content")
    for name in ("master", "node0", "node1"):
        cluster.kill(name)

    for unreachable in (store, cluster.store()):
        with pytest.raises(StorageUnavailableError):
            unreachable.open(chunks, 0, 7)
        with pytest.raises(StorageUnavailableError):
            unreachable.check()
        with pytest.raises(StorageUnavailableError):
            unreachable.delete([chunks[0].key])
        assert unreachable.free_bytes() is None


def test_a_volume_server_with_a_new_address_is_found_again(cluster: Cluster) -> None:
    store = cluster.store(node="node1")
    chunks = keep(store, CONTENT)
    cluster.kill("node1")
    cluster.move("node1")
    wait_until(cluster.is_ready, seconds=60)
    wait_until(lambda: is_writable(store), seconds=60)

    written = keep(store, b"content")
    cluster.kill("node0")

    assert read(store, chunks) == CONTENT
    assert read(store, written) == b"content"


@pytest.mark.parametrize("refusals", [0, 1])
def test_after_a_long_outage_the_first_upload_is_stored(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    """The masters may refuse a moment longer, since the volumes have just come back."""
    store = cluster.store()
    keys = ReservedKeys(store, store.choose_keys(1))
    cluster.kill("node1")
    with store.receive(keys) as incoming:
        incoming.write(b"content")
        with pytest.raises(StorageUnavailableError):
            incoming.keep()
    cluster.start("node1")
    wait_until(cluster.is_ready, seconds=60)
    assign, left = Masters.assign, [StorageUnavailableError("growth in progress")] * refusals

    def refuse_first(self: Masters, count: int, copies: int) -> str:
        if left:
            raise left.pop()
        return assign(self, count, copies)

    monkeypatch.setattr(Masters, "assign", refuse_first)

    assert read(store, keep(store, b"content")) == b"content"
