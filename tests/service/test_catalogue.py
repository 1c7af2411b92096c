"""The catalogue on each kind of storage: files are complete or absent, whatever happens in between."""

import hashlib
import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from client import BOUNDARY, FORM, Client, file_form
from sqlalchemy import Connection, func, select

from file_transfer import app, held_download, incoming, reservation, sweep
from file_transfer import catalogue as catalogue_module
from file_transfer.catalogue import Catalogue, UnknownFileError
from file_transfer.chunks import MissingChunkError, StorageUnavailableError, blocks
from file_transfer.clock import now
from file_transfer.conditions import Conditions
from file_transfer.errors import RefusedError
from file_transfer.index import contents, downloads, garbage, usage
from file_transfer.index.contents import LeaseLostError
from file_transfer.index.database import Database, OutcomeUnknownError
from file_transfer.index.schema import GARBAGE, chunks
from file_transfer.index.schema import contents as contents_table
from file_transfer.lifetime import FOREVER, Lifetime
from file_transfer.limits import Limits
from file_transfer.ranges import Range
from file_transfer.stored_file import StoredFile

MIB = 2**20
NO_FILE_YET = Conditions(none_match=frozenset({"*"}))


@pytest.fixture
def catalogue(catalogue: Catalogue) -> Catalogue:
    return Catalogue(catalogue.database, catalogue.store, Limits(max_file=64 * MIB))


def store(
    catalogue: Catalogue,
    name: str,
    content: bytes,
    lifetime: Lifetime = FOREVER,
    condition: Conditions = NO_FILE_YET,
) -> StoredFile:
    with catalogue.receive() as incoming_file:
        incoming_file.write(content)
        return catalogue.publish({name: incoming_file}, lifetime, condition)[name][0]


def replace(catalogue: Catalogue, name: str, content: bytes) -> StoredFile:
    return store(catalogue, name, content, condition=Conditions())


def content_of(catalogue: Catalogue, name: str, wanted: Range | None = None) -> bytes:
    file = catalogue.look_up(name)
    wanted = wanted or Range(0, file.size)
    if file.data is not None:
        return file.data[wanted.start : wanted.start + wanted.size]
    with closing(catalogue.open(file, wanted)) as content:
        return b"".join(blocks(content))[: wanted.size]


def live_chunks(database: Database) -> int:
    query = select(func.count()).select_from(chunks.join(contents_table)).where(contents_table.c.state != GARBAGE)
    return database.read(lambda connection: connection.execute(query).scalar_one())


def names(catalogue: Catalogue, prefix: str = "", after: str = "") -> list[str]:
    return [file.name for file in catalogue.page(prefix, after, 1000)]


def test_an_unpublished_file_leaves_nothing(catalogue: Catalogue) -> None:
    with pytest.raises(KeyboardInterrupt), catalogue.receive() as incoming_file:  # noqa: PT012 - the whole block is interrupted
        incoming_file.write(b"h" * 9 * MIB)
        raise KeyboardInterrupt

    assert names(catalogue) == []
    assert catalogue.database.read(usage.total) == (0, 0)
    sweep.sweep(catalogue)
    assert chunk_rows(catalogue) == 0


def chunk_rows(catalogue: Catalogue) -> int:
    return catalogue.database.read(
        lambda connection: connection.execute(select(func.count()).select_from(chunks)).scalar_one()
    )


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
        replace(catalogue, "name", b"newer" * MIB)
        sweep.sweep(catalogue)
        assert begin + b"".join(parts) == old

    assert content_of(catalogue, "name") == b"newer" * MIB


def test_a_reader_that_is_too_late_is_told(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    store(catalogue, "name", b"o" * MIB)
    file = catalogue.look_up("name")
    replace(catalogue, "name", b"newer")
    later(monkeypatch, timedelta(days=1))
    sweep.sweep(catalogue)

    with pytest.raises(MissingChunkError):
        catalogue.open(file, Range(0, file.size))


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    for module in (sweep, catalogue_module, incoming, reservation, held_download):
        monkeypatch.setattr(module, "now", lambda: now() + by)


def test_many_writers_of_one_name_leave_one_whole_version(catalogue: Catalogue) -> None:
    versions = [bytes([number]) * 50_000 for number in range(48)]

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda content: replace(catalogue, "contested", content), versions))

    assert content_of(catalogue, "contested") in versions
    assert catalogue.database.read(usage.total) == (50_000, 1)
    assert live_chunks(catalogue.database) == 1


def test_only_one_of_many_creators_succeeds(catalogue: Catalogue) -> None:
    def create(number: int) -> bool:
        try:
            store(catalogue, "once", str(number).encode())
        except RefusedError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(create, range(32)))

    assert created.count(True) == 1
    assert content_of(catalogue, "once") == str(created.index(True)).encode()


def test_a_removed_name_can_be_used_again(catalogue: Catalogue) -> None:
    for content in (b"first", b"second" * MIB):
        store(catalogue, "name", content)
        assert content_of(catalogue, "name") == content
        catalogue.remove("name")

    with pytest.raises(UnknownFileError):
        catalogue.remove("name")
    assert names(catalogue) == []


def test_the_list_is_sorted_and_begins_where_it_should(catalogue: Catalogue) -> None:
    long = "n" * 120
    given = [
        "a",
        "a#1",
        "ab",
        "b~",
        "é",
        "日本",
        "z%20",
        "Z",
        long,
        long + "0",
        long + "~" * 135,
        long[:-1] + "o",
        "😀",
    ]
    for name in given:
        store(catalogue, name, b"")

    assert names(catalogue) == sorted(given)
    assert names(catalogue, prefix="a") == ["a", "a#1", "ab"]
    assert names(catalogue, prefix="a", after="a") == ["a#1", "ab"]
    assert names(catalogue, after="o") == ["z%20", "é", "日本", "😀"]
    assert names(catalogue, prefix="日") == ["日本"]
    assert names(catalogue, prefix="😀") == ["😀"]
    assert names(catalogue, prefix=long) == names(catalogue, prefix=long[:-1])[:3]
    assert names(catalogue, prefix=long) == [long, long + "0", long + "~" * 135]
    assert names(catalogue, prefix=long, after=long + "0") == [long + "~" * 135]


@pytest.mark.parametrize("prefix", ["\ud7ff", "\U0010ffff", "a\U0010ffff"])
def test_a_prefix_may_end_with_the_last_character_of_a_range(catalogue: Catalogue, prefix: str) -> None:
    store(catalogue, prefix + "x", b"")
    store(catalogue, "b", b"")

    assert names(catalogue, prefix=prefix) == [prefix + "x"]


def test_an_expired_file_is_treated_as_absent(catalogue: Catalogue) -> None:
    store(catalogue, "old", b"content", Lifetime(expires=now() - timedelta(seconds=1)))
    store(catalogue, "kept", b"content", Lifetime(expires=now() + timedelta(hours=1)))

    with pytest.raises(UnknownFileError):
        catalogue.look_up("old")
    with pytest.raises(UnknownFileError):
        catalogue.remove("old")
    assert names(catalogue) == ["kept"]
    assert store(catalogue, "old", b"again").size == 5


def test_no_more_downloads_run_at_once_than_are_left(catalogue: Catalogue) -> None:
    file = store(catalogue, "few", b"content", Lifetime(downloads=5))

    def hold(_: int) -> bool:
        try:
            catalogue.hold_download(file)
        except RefusedError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        held = list(pool.map(hold, range(32)))

    assert held.count(True) == 5


def test_the_last_complete_download_removes_the_file(catalogue: Catalogue) -> None:
    file = store(catalogue, "twice", b"x" * MIB, Lifetime(downloads=2))
    for left in (1, None):
        catalogue.hold_download(file).end(is_complete=False)
        catalogue.hold_download(file).end(is_complete=True)
        found = catalogue.find("twice")
        assert (found.downloads_left if found else None) == left

    with pytest.raises(UnknownFileError):
        catalogue.hold_download(file)
    assert catalogue.database.read(usage.total) == (0, 0)


def test_a_download_counts_once_even_if_the_answer_is_lost(catalogue: Catalogue) -> None:
    file = store(catalogue, "thrice", b"content", Lifetime(downloads=3))
    held = catalogue.hold_download(file)

    for _ in range(2):
        held.end(is_complete=True)

    assert catalogue.look_up("thrice").downloads_left == 2


def test_a_slow_download_counts_too(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    file = store(catalogue, "twice", b"content", Lifetime(downloads=2))
    held = catalogue.hold_download(file)
    later(monkeypatch, 2 * downloads.HELD)
    sweep.sweep(catalogue)

    held.end(is_complete=True)

    assert catalogue.look_up("twice").downloads_left == 1


def test_a_running_download_stays_held(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    file = store(catalogue, "once", b"content", Lifetime(downloads=1))
    held = catalogue.hold_download(file)
    monkeypatch.setattr(held_download, "monotonic", lambda: float("inf"))
    later(monkeypatch, 0.9 * downloads.HELD)
    held.renew()
    later(monkeypatch, 1.8 * downloads.HELD)

    with pytest.raises(RefusedError, match="all downloads that are left are running"):
        catalogue.hold_download(file)


def test_a_download_that_rested_for_too_long_ends_if_somebody_else_has_it(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = store(catalogue, "once", b"content", Lifetime(downloads=1))
    resting = catalogue.hold_download(file)
    monkeypatch.setattr(held_download, "monotonic", lambda: float("inf"))
    later(monkeypatch, 2 * downloads.HELD)
    resting.renew()  # nobody else wanted it
    later(monkeypatch, 4 * downloads.HELD)
    other = catalogue.hold_download(file)

    with pytest.raises(RefusedError, match="took too long"):
        resting.renew()
    other.end(is_complete=True)
    with pytest.raises(RefusedError, match="took too long"):
        resting.renew()


def test_a_download_goes_on_when_its_file_is_removed(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    held = catalogue.hold_download(store(catalogue, "twice", b"content", Lifetime(downloads=2)))
    catalogue.remove("twice")
    monkeypatch.setattr(held_download, "monotonic", lambda: float("inf"))

    held.renew()
    held.end(is_complete=True)


def test_the_sweep_removes_only_what_has_expired(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    store(catalogue, "old", b"1" * MIB, Lifetime(expires=now() - timedelta(seconds=1)))
    store(catalogue, "kept", b"2" * MIB)
    kept = live_chunks(catalogue.database) // 2

    sweep.sweep(catalogue)
    later(monkeypatch, timedelta(hours=1))
    sweep.sweep(catalogue)

    assert content_of(catalogue, "kept") == b"2" * MIB
    assert names(catalogue) == ["kept"]
    assert chunk_rows(catalogue) == kept
    assert catalogue.database.read(usage.total) == (MIB, 1)


def test_the_chunks_of_a_killed_transfer_are_swept_when_its_lease_ends(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = catalogue.receive()
    killed.write(b"x" * 9 * MIB)
    killed.finish()
    written = chunk_rows(catalogue)

    assert sweep.sweep(catalogue) == 0
    later(monkeypatch, contents.LEASE + timedelta(seconds=1))
    assert sweep.sweep(catalogue) == written
    assert catalogue.database.read(usage.total) == (0, 0)
    with pytest.raises(LeaseLostError):
        catalogue.publish({"late": killed}, FOREVER)
    assert names(catalogue) == []


def test_what_is_stored_after_its_key_was_swept_is_deleted_too(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica can be frozen for longer than its lease, and go on."""
    deleted: list[str] = []
    delete = catalogue.store.delete

    def record(keys: list[str]) -> None:
        deleted.extend(keys)
        delete(keys)

    monkeypatch.setattr(catalogue.store, "delete", record)
    with pytest.raises(LeaseLostError), catalogue.receive() as frozen:  # noqa: PT012
        frozen.write(b"x" * 5 * MIB)
        later(monkeypatch, contents.LEASE + timedelta(seconds=1))
        sweep.sweep(catalogue)
        before = set(deleted)
        frozen.write(b"y")
        catalogue.publish({"late": frozen}, FOREVER)
    deleted.clear()
    later(monkeypatch, 3 * contents.LEASE)
    sweep.sweep(catalogue)

    assert before <= set(deleted)
    assert chunk_rows(catalogue) == 0


def test_a_chunk_that_a_server_may_still_store_is_deleted_later(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageUnavailableError), catalogue.receive() as failed:  # noqa: PT012
        failed.write(b"x" * 5 * MIB)
        raise StorageUnavailableError("no answer in time")

    assert sweep.sweep(catalogue) == 0
    later(monkeypatch, contents.LEASE + timedelta(seconds=1))
    assert sweep.sweep(catalogue) > 0
    assert chunk_rows(catalogue) == 0


def test_a_running_transfer_renews_its_lease(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    with catalogue.receive() as slow:
        slow.write(b"x" * MIB)
        later(monkeypatch, contents.LEASE - timedelta(seconds=1))
        monkeypatch.setattr(reservation, "monotonic", lambda: float("inf"))
        slow.write(b"y")
        later(monkeypatch, contents.LEASE + timedelta(seconds=1))
        sweep.sweep(catalogue)
        catalogue.publish({"slow": slow}, FOREVER)

    assert content_of(catalogue, "slow") == b"x" * MIB + b"y"


def test_what_is_finished_stays_while_the_rest_of_its_form_arrives(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(app.create(catalogue, max_transfers=1))
    first, second = (file_form(name, b"x" * MIB) for name in ("first", "second"))
    form = first.removesuffix(f"--{BOUNDARY}--\r\n".encode()) + second
    seconds = count(step=contents.LEASE // timedelta(seconds=1))
    monkeypatch.setattr(reservation, "monotonic", lambda: next(seconds))

    class Slow(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            later(monkeypatch, contents.LEASE * (2 * self.tell() / len(form)))
            sweep.sweep(catalogue)
            return super().read(MIB // 8)

    (status, _), _ = client.begin("POST", "/upload", Slow(form), FORM, len(form))

    assert status.startswith("201")
    assert content_of(catalogue, "first") == content_of(catalogue, "second") == b"x" * MIB


def test_a_transaction_changes_one_row_of_the_usage(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise two of them may wait for each other."""
    changed: list[set[object]] = []
    write, add = catalogue.database.write, usage._ALL._add.change

    def begun(change: Callable[[Connection], Any]) -> Any:
        changed.append(set())
        return write(change)

    def added(connection: Connection, values: Mapping[str, object]) -> int:
        changed[-1].add(values["to"])
        return add(connection, values)

    monkeypatch.setattr(catalogue.database, "write", begun)
    monkeypatch.setattr(usage._ALL._add, "change", added)
    for number in range(5):
        replace(catalogue, "small", b"x" * (number + 1))
        replace(catalogue, "large", b"x" * (MIB + number))

    assert max(len(rows) for rows in changed) == 1
    assert catalogue.database.read(usage.total) == (5 + MIB + 4, 2)


def test_much_garbage_is_forgotten_bit_by_bit(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a sweep would need memory for millions of keys, and a transaction that takes too long."""
    monkeypatch.setattr(garbage, "_KEYS", 3)
    for number in range(5):
        store(catalogue, f"{number}", b"x" * 9 * MIB)
        catalogue.remove(f"{number}")
    before = chunk_rows(catalogue)
    later(monkeypatch, timedelta(hours=1))
    delete, calls = catalogue.store.delete, 0

    def delete_some(keys: list[str]) -> None:
        nonlocal calls
        assert len(keys) <= 3
        calls += 1
        if calls > 1:
            raise StorageUnavailableError("away")
        delete(keys)

    with monkeypatch.context() as patched:
        patched.setattr(catalogue.store, "delete", delete_some)
        with pytest.raises(StorageUnavailableError):
            sweep.sweep(catalogue)
    assert chunk_rows(catalogue) == before - 3

    later(monkeypatch, timedelta(hours=1) + garbage.CLAIM)
    assert sweep.sweep(catalogue) == before - 3
    assert chunk_rows(catalogue) == 0
    left = select(func.count()).select_from(contents_table)
    assert catalogue.database.read(lambda connection: connection.execute(left).scalar_one()) == 0


def test_garbage_that_cannot_be_deleted_is_deleted_later(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    store(catalogue, "name", b"x" * MIB)
    catalogue.remove("name")
    later(monkeypatch, timedelta(hours=1))

    def away(_: object) -> None:
        raise StorageUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(catalogue.store, "delete", away)
        with pytest.raises(StorageUnavailableError):
            sweep.sweep(catalogue)
    assert catalogue.database.read(garbage.count) > 0

    assert sweep.sweep(catalogue) == 0, "another sweeper may still be deleting it"
    later(monkeypatch, timedelta(hours=1) + garbage.CLAIM)
    assert sweep.sweep(catalogue) > 0
    assert catalogue.database.read(garbage.count) == 0


def lost_answers(monkeypatch: pytest.MonkeyPatch, database: Database, count: int) -> None:
    """Lose the answers to the next `count` transactions that succeed."""
    write, left = database.write, [count]

    def write_and_lose(change: Callable[[Connection], object]) -> object:
        result = write(change)
        if left[0]:
            left[0] -= 1
            raise OutcomeUnknownError("the answer was lost")
        return result

    monkeypatch.setattr(database, "write", write_and_lose)


@pytest.mark.parametrize(("size", "transactions"), [(5, 1), (5 * MIB, 2)])
def test_an_upload_waits_for_few_transactions(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, size: int, transactions: int
) -> None:
    write, seen = catalogue.database.write, []

    def write_and_count(change: Callable[[Connection], object]) -> object:
        seen.append(change)
        return write(change)

    monkeypatch.setattr(catalogue.database, "write", write_and_count)
    with catalogue.receive(size) as incoming_file:
        incoming_file.write(b"x" * size)
        catalogue.publish({"name": incoming_file}, FOREVER)

    assert len(seen) == transactions


@pytest.mark.parametrize("size", [5, 5 * MIB])
def test_publishing_is_repeated_until_its_outcome_is_known(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    with catalogue.receive() as incoming_file:
        incoming_file.write(b"x" * size)
        incoming_file.finish()
        lost_answers(monkeypatch, catalogue.database, 2)
        catalogue.publish({"name": incoming_file}, FOREVER, NO_FILE_YET)

    assert content_of(catalogue, "name") == b"x" * size
    assert catalogue.database.read(usage.total) == (size, 1)


def test_bytes_stay_if_publishing_may_have_succeeded(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutcomeUnknownError), catalogue.receive() as incoming_file:  # noqa: PT012
        incoming_file.write(b"x" * 5 * MIB)
        incoming_file.finish()
        lost_answers(monkeypatch, catalogue.database, 3)
        catalogue.publish({"name": incoming_file}, FOREVER)
    later(monkeypatch, timedelta(days=1))
    sweep.sweep(catalogue)

    assert content_of(catalogue, "name") == b"x" * 5 * MIB
