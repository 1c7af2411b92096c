"""The archive of all files: it is complete, or says what is missing, and tar can read it."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backup_cluster import LARGE, content_of, described, put, remove
from catalogues import catalogue_in

from backup import archive, restore
from backup.archive import ArchiveError, Contents
from backup.restore import RestoreError
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import MissingChunkError, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.index import usage
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits, Owner
from file_transfer.ranges import Range

HOUR = timedelta(hours=1)
LONG = "l" * 251 + ".txt"


@pytest.fixture
def catalogue(catalogue: Catalogue) -> Catalogue:
    """On one machine and in a cluster, without the limit that the tests of the routes need."""
    return Catalogue(catalogue.database, catalogue.store, Limits(max_file=2**40))


@pytest.fixture
def source(tmp_path: Path) -> Catalogue:
    (tmp_path / "source").mkdir()
    return catalogue_in(tmp_path / "source", max_file=2**40)


@pytest.fixture
def target(tmp_path: Path) -> Catalogue:
    (tmp_path / "target").mkdir()
    return catalogue_in(tmp_path / "target", max_file=2**40)


def archived(catalogue: Catalogue) -> tuple[bytes, Contents]:
    written = io.BytesIO()
    contents = archive.write(catalogue, written)
    return written.getvalue(), contents


def restored(catalogue: Catalogue, content: bytes) -> restore.Restored:
    return restore.restore_all(catalogue, io.BytesIO(content))


def put_all_kinds(catalogue: Catalogue) -> None:
    put(catalogue, "empty", b"")
    put(catalogue, "small", b"small" * 100)
    put(catalogue, "a name with spaces", b"x" * 33_000)
    put(catalogue, "naïve \u65e5\u672c \U0001f600", b"unicode")
    put(catalogue, "-rf", b"dash")
    put(catalogue, "summary.json", b"not the archive's")
    put(catalogue, LONG, b"long")
    put(catalogue, "large", LARGE * 9 + b"end")
    put(catalogue, "expires", b"soon", Lifetime(expires=now() + HOUR))
    put(catalogue, "few", b"f" * 40_000, Lifetime(downloads=3))


def test_restored_files_are_what_they_were(catalogue: Catalogue, target: Catalogue) -> None:
    put_all_kinds(catalogue)
    content, contents = archived(catalogue)

    result = restored(target, content)

    assert described(target) == described(catalogue)
    assert (result.files, result.bytes) == (contents.files, contents.bytes) == (10, len(LARGE) * 9 + 73_539)
    assert (contents.removed, contents.damaged) == ([], [])


def test_restored_files_count_for_the_tokens_that_have_stored_them(catalogue: Catalogue, target: Catalogue) -> None:
    for name, token, size in (("small", "ci", 10), ("large", "ci", 40_000), ("other", "press", 7), ("nobody's", "", 5)):
        with catalogue.receive(size, Owner(name=token)) as incoming:
            incoming.write(b"x" * size)
            catalogue.publish({name: incoming}, Lifetime())

    restored(target, archived(catalogue)[0])

    assert {file.name: target.owner(file) for file in target.page("", "", 9)} == {
        "small": "ci",
        "large": "ci",
        "other": "press",
        "nobody's": "",
    }
    assert target.database.read(usage.of_tokens) == {"ci": 40_010, "press": 7}


def test_files_can_be_restored_to_each_kind_of_storage(catalogue: Catalogue, source: Catalogue) -> None:
    put_all_kinds(source)

    restored(catalogue, archived(source)[0])

    assert described(catalogue) == described(source)


def test_times_are_kept_to_the_microsecond(source: Catalogue, target: Catalogue) -> None:
    for microsecond in (0, 1, 123_456, 999_999):
        with source.receive() as incoming:
            modified = datetime(2026, 11, 29, 12, 0, 1, microsecond, tzinfo=UTC)
            source.publish({str(microsecond): incoming}, Lifetime(expires=modified + 9999 * HOUR), modified=modified)

    restored(target, archived(source)[0])

    assert described(target) == described(source)


def test_many_files_need_several_pages(source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_PAGE", 7)
    for number in range(50):
        put(source, f"file {number}", b"%d" % number)

    assert restored(target, archived(source)[0]).files == 50
    assert described(target) == described(source)


def test_tar_extracts_plain_files(source: Catalogue, tmp_path: Path) -> None:
    put_all_kinds(source)
    folder = tmp_path / "plain"
    folder.mkdir()

    subprocess.run(["tar", "x"], cwd=folder, input=archived(source)[0], check=True)

    for file in source.page("", "", 100):
        path = folder / "files" / file.name
        assert path.read_bytes() == content_of(source, file.name)
        assert abs(path.stat().st_mtime - file.modified.timestamp()) < 0.001
    assert json.loads((folder / "summary.json").read_text())["files"] == 10


def test_nothing_that_is_absent_is_in_a_header(source: Catalogue) -> None:
    put(source, "plain", b"content")

    with tarfile.open(fileobj=io.BytesIO(archived(source)[0])) as opened:
        headers = opened.getmember("files/plain").pax_headers

    assert {name for name in headers if name.startswith("SWARM")} == {"SWARMTRANSFER.sha256"}


def test_an_empty_catalogue_has_an_archive_too(source: Catalogue, target: Catalogue) -> None:
    content, contents = archived(source)

    assert contents == Contents()
    assert restored(target, content).files == 0


def before_open(catalogue: Catalogue, name: str, action: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something after the file was looked up, and before its content is opened."""
    original = catalogue.open

    def opened(file: Any, wanted: Range) -> Any:
        if file.name == name:
            monkeypatch.setattr(catalogue, "open", original)
            action()
        return original(file, wanted)

    monkeypatch.setattr(catalogue, "open", opened)


def during_read(catalogue: Catalogue, name: str, action: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something after the first block of the file, whose other blocks are then gone."""
    original = catalogue.open

    def opened(file: Any, wanted: Range) -> Any:
        return broken(original(file, wanted)) if file.name == name else original(file, wanted)

    def broken(content: Any) -> Iterator[bytes]:
        with closing(content):
            yield content.read(100_000)
            action()
            raise MissingChunkError("a chunk is gone")

    monkeypatch.setattr(catalogue, "open", opened)


def test_a_file_that_is_removed_before_it_is_read_is_left_out(
    source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, "gone", LARGE)
    put(source, "stays", LARGE)
    before_open(source, "gone", lambda: remove(source, "gone"), monkeypatch)

    content, contents = archived(source)

    assert contents == Contents(files=1, bytes=len(LARGE))
    restored(target, content)
    assert [file.name for file in target.page("", "", 10)] == ["stays"]


def test_a_file_that_is_replaced_before_it_is_read_is_stored_in_the_new_version(
    source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, "new", LARGE)

    def replace() -> None:
        remove(source, "new")
        put(source, "new", b"newer" * 10_000)

    before_open(source, "new", replace, monkeypatch)

    assert archived(source)[1] == Contents(files=1, bytes=50_000)
    restored(target, archived(source)[0])
    assert content_of(target, "new") == b"newer" * 10_000


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_removed_while_it_is_read_is_not_restored(
    source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    put(source, "gone", LARGE)
    put(source, "stays", LARGE)

    def action() -> None:
        source.remove("gone")
        if is_replaced:
            put(source, "gone", b"newer")

    during_read(source, "gone", action, monkeypatch)

    content, contents = archived(source)

    assert (contents.removed, contents.damaged) == (["gone"], [])
    result = restored(target, content)
    assert (result.files, result.removed, result.damaged) == (1, ["gone"], [])
    assert content_of(target, "stays") == LARGE
    assert target.find("gone") is None


def damage(catalogue_folder: Path) -> None:
    (path,) = catalogue_folder.glob("chunks/*")
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def shorten(catalogue_folder: Path) -> None:
    (path,) = catalogue_folder.glob("chunks/*")
    path.write_bytes(path.read_bytes()[:-1])


def lose(catalogue_folder: Path) -> None:
    (path,) = catalogue_folder.glob("chunks/*")
    path.unlink()


@pytest.mark.parametrize("harm", [damage, shorten, lose])
def test_damaged_content_is_found_and_all_else_is_stored(
    source: Catalogue, target: Catalogue, tmp_path: Path, harm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    put(source, "bad", LARGE)
    harm(tmp_path / "source")
    put(source, "a good one", LARGE)
    put(source, "good", LARGE)

    content, contents = archived(source)

    assert contents.damaged == ["bad"]
    assert "'bad' is damaged" in caplog.text
    result = restored(target, content)
    assert (result.files, result.removed, result.damaged) == (2, [], ["bad"])
    assert [file.name for file in target.page("", "", 10)] == ["a good one", "good"]
    assert "1 were damaged in the backup" in str(result)
    with pytest.raises(RestoreError, match="try another one"):
        restore.restore_one(target, io.BytesIO(content), "bad", replaces=False)


def test_bytes_that_are_gone_while_the_index_names_them_are_damage(
    source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, "bad", LARGE)
    during_read(source, "bad", lambda: None, monkeypatch)

    content, contents = archived(source)

    assert (contents.removed, contents.damaged) == ([], ["bad"])
    assert restored(target, content).damaged == ["bad"]


def test_storage_that_is_not_available_is_no_damage(source: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> None:
        raise StorageUnavailableError("no volume server")

    put(source, "file", LARGE)
    monkeypatch.setattr(source, "open", opened)

    with pytest.raises(StorageUnavailableError):
        archived(source)


def test_an_expired_file_is_not_restored(source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    put(source, "expires", b"soon", Lifetime(expires=now() + HOUR))
    put(source, "stays", b"stays")
    content, _ = archived(source)
    monkeypatch.setattr(restore, "now", lambda: now() + 2 * HOUR)

    result = restored(target, content)

    assert (result.files, result.expired) == (1, 1)
    assert target.find("expires") is None
    with pytest.raises(RestoreError, match="expired at"):
        restore.restore_one(target, io.BytesIO(content), "expires", replaces=False)


@pytest.mark.parametrize("kept", [0, 100, 2048, 300_000, "before the summary"])
def test_an_archive_that_is_cut_short_is_reported(source: Catalogue, target: Catalogue, kept: Any) -> None:
    put(source, "first", b"first")
    put(source, "second", LARGE)
    content, _ = archived(source)

    with pytest.raises(ArchiveError, match="cut short"):
        restored(target, content[: content.rindex(b"summary.json") if isinstance(kept, str) else kept])

    assert {file.name for file in target.page("", "", 10)} <= {"first", "second"}
    assert all(row[5] == row[6] for row in described(target))


def test_existing_names_stay_and_the_others_are_restored(source: Catalogue, target: Catalogue) -> None:
    for name in ("a", "b", "c"):
        put(source, name, name.encode() * 50_000)
    put(target, "b", b"mine")

    result = restored(target, archived(source)[0])

    assert (result.files, result.existing) == (2, 1)
    assert content_of(target, "b") == b"mine"
    assert content_of(target, "c") == b"c" * 50_000


def test_a_name_that_is_stored_during_the_restore_stays(
    source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(source, "contested", LARGE)
    original = target.publish

    def publish(*arguments: Any) -> Any:
        monkeypatch.setattr(target, "publish", original)
        put(target, "contested", b"of a user")
        return original(*arguments)

    monkeypatch.setattr(target, "publish", publish)

    result = restored(target, archived(source)[0])

    assert (result.files, result.existing) == (0, 1)
    assert content_of(target, "contested") == b"of a user"


def test_an_interrupted_restore_can_be_continued(
    source: Catalogue, target: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_all_kinds(source)
    content, _ = archived(source)
    original = target.publish
    calls = []

    def publish(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 5:
            raise StorageUnavailableError("no standby")
        return original(*arguments)

    monkeypatch.setattr(target, "publish", publish)
    with pytest.raises(RestoreError, match=r"4 files .* no standby; continue with --keep-existing"):
        restored(target, content)

    result = restored(target, content)

    assert (result.files, result.existing) == (6, 4)
    assert described(target) == described(source)


def test_a_cluster_with_files_is_not_empty(target: Catalogue) -> None:
    restore.check_is_empty(target)
    put(target, "a", b"a")
    put(target, "b", b"b")

    with pytest.raises(RestoreError, match=r"the index has 2 files: .*; --keep-existing"):
        restore.check_is_empty(target)


def test_one_file_is_restored_alone(source: Catalogue, target: Catalogue) -> None:
    put_all_kinds(source)
    put(target, "mine", b"mine")
    content = io.BytesIO(archived(source)[0])

    result = restore.restore_one(target, content, "few", replaces=False)

    assert (result.files, result.bytes) == (1, 40_000)
    assert {file.name for file in target.page("", "", 10)} == {"few", "mine"}
    assert target.look_up("few").downloads_left == 3
    assert content.tell() < 2 * 2**20, "it reads no further than it has to"


def test_one_file_replaces_another_only_on_request(source: Catalogue, target: Catalogue) -> None:
    put(source, "name", b"old")
    put(target, "name", b"new")
    content, _ = archived(source)

    with pytest.raises(RestoreError, match="--replace"):
        restore.check_is_missing(target, "name")
    with pytest.raises(RestoreError, match="--replace"):
        restore.restore_one(target, io.BytesIO(content), "name", replaces=False)
    assert content_of(target, "name") == b"new"

    restore.restore_one(target, io.BytesIO(content), "name", replaces=True)
    assert content_of(target, "name") == b"old"


def test_a_file_that_is_not_in_the_backup_is_named(source: Catalogue, target: Catalogue) -> None:
    put(source, "name", b"content")

    with pytest.raises(RestoreError, match="there is no file 'other' in this backup"):
        restore.restore_one(target, io.BytesIO(archived(source)[0]), "other", replaces=False)
