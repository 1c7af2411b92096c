"""`get`: what is written, what is gone on with, and what is never touched."""

import hashlib
import os
from pathlib import Path

import pytest
import urllib3
from fake_server import FakeServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_client import CommandLine

from file_transfer.client.api import TRIES

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def left() -> list[str]:
    """What is in the directory, and what is remembered of transfers."""
    state = Path("../state/file-transfer")
    return sorted(file.name for file in Path().iterdir()) + [
        file.name for file in (state.iterdir() if state.exists() else ())
    ]


@pytest.fixture
def half(run: CommandLine, server: FakeServer) -> Path:
    """A download of x that was given up."""
    server.files["x"] = CONTENT
    server.breaks = [1_500_000] + [0] * 2 * TRIES
    assert run("get", "x")[0] == 1
    server.breaks.clear()
    server.headers.clear()
    return Path("x.part")


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_is_fetched_and_told(run: CommandLine, server: FakeServer, size: int) -> None:
    server.files["é x"] = CONTENT[:size]

    status, told, wrong = run("get", "é x")

    assert (status, wrong) == (0, "")
    assert told == f"é x {size} bytes sha256:{hashlib.sha256(CONTENT[:size]).hexdigest()}\n"
    assert Path("é x").read_bytes() == CONTENT[:size]
    assert left() == ["é x"]


def test_it_goes_where_it_is_told_to(run: CommandLine, server: FakeServer) -> None:
    server.files.update(a=b"1", b=b"2")
    Path("folder").mkdir()

    assert run("get", "a", "b", "-O", "folder")[0] == 0
    assert run("get", "a", "-o", "other")[0] == 0
    assert (Path("folder/a").read_bytes(), Path("folder/b").read_bytes(), Path("other").read_bytes()) == (
        b"1", b"2", b"1",
    )  # fmt: skip


def test_a_broken_download_goes_on_where_it_broke(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.breaks = [1_000_000, 1_000_000]

    assert run("get", "x")[::2] == (0, "")
    assert Path("x").read_bytes() == CONTENT
    assert "range" not in server.headers[0]
    assert {headers["if-range"] for headers in server.headers[1:]} == {f'"{SHA256}"'}
    assert len(server.asked) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(breaks=st.lists(st.integers(0, 400_000), max_size=5), size=st.integers(0, 900_000))
def test_wherever_it_breaks_the_file_comes_whole(
    run: CommandLine, server: FakeServer, breaks: list[int], size: int
) -> None:
    server.files["x"] = CONTENT[:size]
    server.breaks = list(breaks)

    assert run("get", "x", "--quiet", "--force") == (0, "", "")
    assert Path("x").read_bytes() == CONTENT[:size]
    assert left() == ["x"]


def test_the_same_command_goes_on(run: CommandLine, server: FakeServer, half: Path) -> None:
    kept = half.stat().st_size

    assert 1_400_000 < kept <= 1_500_000
    assert run("get", "x")[0] == 0
    assert [headers["range"] for headers in server.headers] == [f"bytes={kept}-"]
    assert Path("x").read_bytes() == CONTENT
    assert left() == ["x"]


def test_a_file_that_was_replaced_meanwhile_comes_anew(run: CommandLine, server: FakeServer, half: Path) -> None:
    server.files["x"] = CONTENT[::-1]

    assert run("get", "x")[0] == 0
    assert server.headers[0]["if-range"] == f'"{SHA256}"'
    assert Path("x").read_bytes() == CONTENT[::-1]
    assert not half.exists()


def test_a_part_of_another_version_is_refused(run: CommandLine, server: FakeServer, half: Path) -> None:
    server.files["x"] = CONTENT[::-1]
    server.mixes_versions = True

    status, _, wrong = run("get", "x")

    assert (status, CONTENT.startswith(half.read_bytes())) == (1, True)
    assert wrong == "error: x: the server sends a part that was not asked for: use no such server\n"


def test_a_content_that_is_cut_short_is_never_taken_for_whole(
    run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib3.HTTPResponse, "_init_length", lambda *_: None)  # as older versions do
    server.files["x"] = CONTENT
    server.breaks = [1_000_000]

    assert run("get", "x")[0] == 0
    assert Path("x").read_bytes() == CONTENT


def test_a_part_that_is_whole_is_only_given_its_name(run: CommandLine, server: FakeServer, half: Path) -> None:
    half.write_bytes(CONTENT)

    assert run("get", "x")[0] == 0
    assert server.headers[0]["range"] == "bytes=3000000-"
    assert Path("x").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT[1:1_000_000], CONTENT + b"more"], ids=["damaged", "too long"])
def test_a_part_that_is_wrong_is_never_given_the_name(run: CommandLine, half: Path, part: bytes) -> None:
    half.write_bytes(part)

    assert run("get", "x")[0] == 1
    assert left() == []
    assert run("get", "x")[0] == 0


def test_what_comes_damaged_is_refused_and_nothing_is_left(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.damages = True

    status, told, wrong = run("get", "x")

    assert (status, told) == (1, "")
    assert wrong.startswith("error: x: what came has SHA-256 ")
    assert wrong.endswith(f", not {SHA256}: it was not kept; get it again\n")
    assert left() == []


def test_damaged_content_leaves_the_file_that_was_to_be_overwritten(run: CommandLine, server: FakeServer) -> None:
    Path("x").write_bytes(b"old")
    server.files["x"] = CONTENT
    server.damages = True

    assert run("get", "x", "--force")[0] == 1
    assert (Path("x").read_bytes(), left()) == (b"old", ["x"])


def test_a_file_is_overwritten_only_by_force(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"new"
    Path("x").write_bytes(b"old")

    status, _, wrong = run("get", "x")

    assert (status, Path("x").read_bytes(), server.asked) == (1, b"old", [])
    assert wrong == "error: x: x is there already: give --force to overwrite it, or another name by -o\n"
    assert run("get", "x", "--force")[0] == 0
    assert Path("x").read_bytes() == b"new"


def test_a_file_that_came_meanwhile_is_kept(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.breaks = [1_000_000]
    run.during_waits = lambda: Path("x").write_bytes(b"mine") and None

    assert run("get", "x")[0] == 1
    assert Path("x").read_bytes() == b"mine"
    assert run("get", "x", "--force")[0] == 0
    assert Path("x").read_bytes() == CONTENT


def test_a_part_of_somebody_else_is_kept(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    Path("x.part").write_bytes(b"mine")

    status, _, wrong = run("get", "x")

    assert (status, Path("x.part").read_bytes()) == (1, b"mine")
    assert wrong == "error: x: x.part is in the way: remove it, or give --force\n"
    assert run("get", "x", "--force")[0] == 0
    assert Path("x").read_bytes() == CONTENT


def test_a_part_that_leads_elsewhere_is_not_followed(run: CommandLine, half: Path) -> None:
    Path("precious").write_bytes(b"mine")
    half.unlink()
    half.symlink_to("precious")
    assert run("get", "x", "--force")[0] == 1
    assert Path("precious").read_bytes() == b"mine"

    Path("precious").unlink()
    assert run("get", "x", "--force")[0] == 1
    assert not Path("precious").exists()


def test_two_downloads_of_a_file_do_not_mix(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.breaks = [1_000_000]
    inner: list[tuple[int, str, str]] = []

    def another() -> None:
        run.during_waits = lambda: None
        inner.append(run("get", "x"))

    run.during_waits = another

    assert run("get", "x")[0] == 0
    assert inner == [(1, "", "error: x: x.part is being written: wait for the other download\n")]
    assert Path("x").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "..", "a/../../x", "a\\b", "a\x1b[2J"])
def test_no_name_leads_outside_the_directory(run: CommandLine, server: FakeServer, name: str) -> None:
    server.files[name] = b"content"
    before = sorted(Path("..").rglob("*"))

    status, told, wrong = run("get", name)

    assert (status, told, server.asked) == (1, "", [])
    assert wrong.startswith("error: ")
    assert wrong[:-1].isprintable()
    assert sorted(Path("..").rglob("*")) == before


def test_an_unknown_name_leaves_nothing_and_does_not_keep_the_others(run: CommandLine, server: FakeServer) -> None:
    server.files["known"] = b"content"

    status, _, wrong = run("get", "unknown", "known")

    assert (status, wrong) == (1, "error: unknown: no file is named 'unknown'\n")
    assert left() == ["known"]


def test_a_directory_is_no_place_for_a_file(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"content"
    Path("x").mkdir()

    assert run("get", "x", "--force")[2] == "error: x: x is no file: name one by -o, or a directory by -O\n"
    assert run("get", "x", "-O", "nowhere")[2] == "error: x: nowhere/x.part: No such file or directory\n"


def test_standard_output_gets_the_content_alone(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT.hex().encode()
    server.breaks = [1_000_000]

    assert run("get", "x", "-o", "-") == (0, CONTENT.hex(), "")
    assert left() == []


def test_standard_output_never_gets_half_of_another_version(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"a" * 1_000_000
    server.breaks = [500_000]
    run.during_waits = lambda: server.files.update(x=b"b" * 1_000_000)

    status, told, wrong = run("get", "x", "-o", "-")

    assert (status, set(told)) == (1, {"a"})
    assert wrong == "error: x: it was replaced on the server while it was fetched: drop what came, and get it again\n"
