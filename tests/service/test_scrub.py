"""The scrub reads every copy of every file, repairs damaged ones, and says what cannot be repaired."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import run_python
from seaweedfs import Cluster
from sqlalchemy import update

from file_transfer.catalogue import Catalogue
from file_transfer.chunks import Chunk, ChunkStore
from file_transfer.index import contents, schema
from file_transfer.index.migrate import migrate
from file_transfer.index.sqlite import SqliteDatabase
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits
from file_transfer.scrub import DamagedError, Throttle, scrub
from file_transfer.stores.directory import DirectoryStore
from file_transfer.stores.incoming import CHUNK_BYTES

SIZES = {"large": CHUNK_BYTES + 100_000, "other": 200_000, "small": 100}

Contents = dict[str, bytes]


@pytest.fixture
def sent() -> Contents:
    """The contents of the files, which no other test has stored."""
    return {name: os.urandom(size) for name, size in SIZES.items()}


def catalogue_of(folder: Path, store: ChunkStore, sent: Contents) -> Iterator[Catalogue]:
    database = SqliteDatabase(folder / "index.sqlite")
    migrate(database)
    catalogue = Catalogue(database, store, Limits(max_file=2**30))
    for name, content in sent.items():
        with catalogue.receive(len(content)) as incoming:
            incoming.write(content)
            catalogue.publish({name: incoming}, Lifetime())
    yield catalogue
    database.close()


@pytest.fixture
def stored(cluster: Cluster, tmp_path: Path, sent: Contents) -> Iterator[Catalogue]:
    """Files on two volume servers: of several chunks, of one, and in the index."""
    yield from catalogue_of(tmp_path, cluster.store(), sent)


@pytest.fixture
def in_folder(tmp_path: Path, sent: Contents) -> Iterator[Catalogue]:
    """The same files in a directory."""
    yield from catalogue_of(tmp_path, DirectoryStore(tmp_path / "chunks"), sent)


def found(catalogue: Catalogue) -> list[str]:
    return list(scrub(catalogue, Throttle(2**40)))


def chunks(catalogue: Catalogue, name: str) -> list[Chunk]:
    file = catalogue.look_up(name)
    return catalogue.database.read(lambda index: contents.find_chunks(index, file.version, 0, file.size))[0]


def damage(folder: Path, content: bytes) -> None:
    """Change a byte of the content wherever it is in files of this folder."""
    part = content[1000:1100]
    changed = 0
    for path in folder.rglob("*"):
        if path.is_file() and (at := path.read_bytes().find(part)) >= 0:
            with path.open("r+b") as file:
                file.seek(at)
                file.write(bytes([part[0] ^ 1]))
            changed += 1
    assert changed == 1


def test_whole_files_are_left_alone(stored: Catalogue, cluster: Cluster) -> None:
    before = cluster.stored_bytes()

    assert found(stored) == []
    assert cluster.stored_bytes() == before


@pytest.mark.parametrize("node", ["node0", "node1"])
def test_a_damaged_copy_is_written_again_from_the_other(
    stored: Catalogue, cluster: Cluster, sent: Contents, node: str
) -> None:
    damage(cluster.folder(node), sent["large"])

    assert found(stored) == ["'large': copies repaired: 1"]

    first, last = chunks(stored, "large")
    assert cluster.copies(first.key) == dict.fromkeys(("node0", "node1"), sent["large"][:CHUNK_BYTES])
    assert cluster.copies(last.key) == dict.fromkeys(("node0", "node1"), sent["large"][CHUNK_BYTES:])
    assert found(stored) == []


def test_a_missing_copy_is_written_again(stored: Catalogue, cluster: Cluster) -> None:
    for chunk in chunks(stored, "large"):
        cluster.delete_copy("node1", chunk.key)

    assert found(stored) == ["'large': copies repaired: 2"]

    for chunk in chunks(stored, "large"):
        assert cluster.copies(chunk.key).keys() == {"node0", "node1"}


@pytest.mark.parametrize("wrong_one", ["node0", "node1"])
def test_copies_that_differ_are_told_apart_by_the_digest(
    stored: Catalogue, cluster: Cluster, sent: Contents, wrong_one: str
) -> None:
    (chunk,) = chunks(stored, "other")
    wrong = bytes(SIZES["other"])
    stored.store.write_copy(chunk.key, cluster.address(wrong_one), wrong)
    assert cluster.copies(chunk.key)[wrong_one] == wrong

    assert found(stored) == ["'other': copies repaired: 1"]
    assert cluster.copies(chunk.key) == {"node0": sent["other"], "node1": sent["other"]}


def test_a_file_without_a_right_copy_is_named_and_others_are_repaired(
    stored: Catalogue, cluster: Cluster, sent: Contents
) -> None:
    for node in ("node0", "node1"):
        damage(cluster.folder(node), sent["large"])
    damage(cluster.folder("node0"), sent["other"])
    lines: list[str] = []

    with pytest.raises(DamagedError, match=r"^damaged files without a right copy: 1; restore them"):
        lines.extend(scrub(stored, Throttle(2**40)))

    assert lines == ["'large': DAMAGED: no right copy was found", "'other': copies repaired: 1"]


def test_a_file_that_is_removed_meanwhile_is_not_damaged(stored: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [stored.look_up("large"), stored.look_up("other")]
    keys = [chunk.key for chunk in chunks(stored, "large")]
    monkeypatch.setattr("file_transfer.scrub._files", lambda _: listed)
    stored.remove("large")
    stored.store.delete(keys)

    assert found(stored) == []


def test_a_small_file_that_differs_in_the_index_is_damaged(stored: Catalogue) -> None:
    change = update(schema.files).where(schema.files.c.name == "small").values(data=b"smell")
    stored.database.write(lambda index: index.execute(change))

    with pytest.raises(DamagedError):
        found(stored)


def test_in_a_directory_a_damaged_file_is_named(in_folder: Catalogue, tmp_path: Path, sent: Contents) -> None:
    assert found(in_folder) == []
    damage(tmp_path / "chunks", sent["other"])
    in_folder.store.delete([chunk.key for chunk in chunks(in_folder, "large")])
    lines: list[str] = []

    with pytest.raises(DamagedError, match=r"^damaged files without a right copy: 2;"):
        lines.extend(scrub(in_folder, Throttle(2**40)))
    assert lines == ["'large': DAMAGED: no right copy was found", "'other': DAMAGED: no right copy was found"]


def test_the_command_says_what_it_has_read(in_folder: Catalogue, tmp_path: Path) -> None:
    del in_folder
    done = run_python("-m", "file_transfer.scrub", "--rate", "1000", DATA=str(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "every file is whole; 4 MiB were read\n"


@pytest.mark.parametrize("rate", ["0", "-1", "nan"])
def test_a_rate_at_which_nothing_is_read_is_refused(rate: str) -> None:
    done = run_python("-m", "file_transfer.scrub", f"--rate={rate}")

    assert done.returncode == 2
    assert "--rate is" in done.stderr
