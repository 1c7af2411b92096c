"""`get`: what is written, what is resumed, and what is never overwritten."""

import hashlib
import os
from pathlib import Path

import pytest
import urllib3
from fake_server import FakeServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_client import CommandLine

from file_transfer_client.api import TRIES

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def remaining_files() -> list[str]:
    """The files in the directory, and the saved state of transfers."""
    state = Path("../state/file-transfer")
    return sorted(file.name for file in Path().iterdir()) + [
        file.name for file in (state.iterdir() if state.exists() else ())
    ]


@pytest.fixture
def partial_file(run: CommandLine, server: FakeServer) -> Path:
    """The partial file of an interrupted download of x."""
    server.files["x"] = CONTENT
    server.breaks = [1_500_000] + [0] * 2 * TRIES
    assert run("get", "x")[0] == 1
    server.breaks.clear()
    server.headers.clear()
    return Path("x.part")


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_is_downloaded_and_reported(run: CommandLine, server: FakeServer, size: int) -> None:
    server.files["é x"] = CONTENT[:size]

    status, stdout, stderr = run("get", "é x")

    assert (status, stderr) == (0, "")
    assert stdout == f"é x {size} bytes sha256:{hashlib.sha256(CONTENT[:size]).hexdigest()}\n"
    assert Path("é x").read_bytes() == CONTENT[:size]
    assert remaining_files() == ["é x"]


def test_a_download_goes_to_the_given_directory_or_file(run: CommandLine, server: FakeServer) -> None:
    server.files.update(a=b"1", b=b"2")
    Path("folder").mkdir()

    assert run("get", "a", "b", "-O", "folder")[0] == 0
    assert run("get", "a", "-o", "other")[0] == 0
    assert (Path("folder/a").read_bytes(), Path("folder/b").read_bytes(), Path("other").read_bytes()) == (
        b"1", b"2", b"1",
    )  # fmt: skip


def test_a_broken_download_resumes_where_it_broke(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.breaks = [1_000_000, 1_000_000]

    assert run("get", "x")[::2] == (0, "")
    assert Path("x").read_bytes() == CONTENT
    assert "range" not in server.headers[0]
    assert {headers["if-range"] for headers in server.headers[1:]} == {f'"{SHA256}"'}
    assert len(server.requests) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(breaks=st.lists(st.integers(0, 400_000), max_size=5), size=st.integers(0, 900_000))
def test_a_download_is_complete_wherever_the_connection_breaks(
    run: CommandLine, server: FakeServer, breaks: list[int], size: int
) -> None:
    server.files["x"] = CONTENT[:size]
    server.breaks = list(breaks)

    assert run("get", "x", "--quiet", "--force") == (0, "", "")
    assert Path("x").read_bytes() == CONTENT[:size]
    assert remaining_files() == ["x"]


def test_running_the_command_again_resumes_the_download(
    run: CommandLine, server: FakeServer, partial_file: Path
) -> None:
    kept = partial_file.stat().st_size

    assert 1_400_000 < kept <= 1_500_000
    assert run("get", "x")[0] == 0
    assert [headers["range"] for headers in server.headers] == [f"bytes={kept}-"]
    assert Path("x").read_bytes() == CONTENT
    assert remaining_files() == ["x"]


def test_a_file_replaced_meanwhile_is_downloaded_from_the_start(
    run: CommandLine, server: FakeServer, partial_file: Path
) -> None:
    server.files["x"] = CONTENT[::-1]

    assert run("get", "x")[0] == 0
    assert server.headers[0]["if-range"] == f'"{SHA256}"'
    assert Path("x").read_bytes() == CONTENT[::-1]
    assert not partial_file.exists()


def test_a_range_of_another_version_is_refused(run: CommandLine, server: FakeServer, partial_file: Path) -> None:
    server.files["x"] = CONTENT[::-1]
    server.ignores_if_range = True

    status, _, stderr = run("get", "x")

    assert (status, CONTENT.startswith(partial_file.read_bytes())) == (1, True)
    assert stderr == "error: x: the server sent a range that was not asked for: do not trust this server\n"


def test_content_that_is_cut_short_is_never_taken_for_complete(
    run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib3.HTTPResponse, "_init_length", lambda *_: None)  # like older versions of urllib3
    server.files["x"] = CONTENT
    server.breaks = [1_000_000]

    assert run("get", "x")[0] == 0
    assert Path("x").read_bytes() == CONTENT


def test_a_complete_part_file_is_only_renamed(run: CommandLine, server: FakeServer, partial_file: Path) -> None:
    partial_file.write_bytes(CONTENT)

    assert run("get", "x")[0] == 0
    assert server.headers[0]["range"] == "bytes=3000000-"
    assert Path("x").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT[1:1_000_000], CONTENT + b"more"], ids=["damaged", "too long"])
def test_a_damaged_part_file_is_never_renamed(run: CommandLine, partial_file: Path, part: bytes) -> None:
    partial_file.write_bytes(part)

    assert run("get", "x")[0] == 1
    assert remaining_files() == []
    assert run("get", "x")[0] == 0


def test_a_damaged_download_is_refused_and_leaves_nothing(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.damages = True

    status, stdout, stderr = run("get", "x")

    assert (status, stdout) == (1, "")
    assert stderr.startswith("error: x: the download has SHA-256 ")
    assert stderr.endswith(f", not {SHA256}, and was not kept: get it again\n")
    assert remaining_files() == []


def test_a_damaged_download_does_not_overwrite_the_old_file(run: CommandLine, server: FakeServer) -> None:
    Path("x").write_bytes(b"old")
    server.files["x"] = CONTENT
    server.damages = True

    assert run("get", "x", "--force")[0] == 1
    assert (Path("x").read_bytes(), remaining_files()) == (b"old", ["x"])


def test_a_file_is_overwritten_only_with_force(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"new"
    Path("x").write_bytes(b"old")

    status, _, stderr = run("get", "x")

    assert (status, Path("x").read_bytes(), server.requests) == (1, b"old", [])
    assert stderr == "error: x: x exists already: give --force to overwrite it, or another name with -o\n"
    assert run("get", "x", "--force")[0] == 0
    assert Path("x").read_bytes() == b"new"


def test_a_file_created_during_the_download_is_kept(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    server.breaks = [1_000_000]
    run.during_waits = lambda: Path("x").write_bytes(b"mine") and None

    assert run("get", "x")[0] == 1
    assert Path("x").read_bytes() == b"mine"
    assert run("get", "x", "--force")[0] == 0
    assert Path("x").read_bytes() == CONTENT


def test_somebody_elses_part_file_is_kept(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT
    Path("x.part").write_bytes(b"mine")

    status, _, stderr = run("get", "x")

    assert (status, Path("x.part").read_bytes()) == (1, b"mine")
    assert stderr == "error: x: x.part is in the way: remove it, or give --force\n"
    assert run("get", "x", "--force")[0] == 0
    assert Path("x").read_bytes() == CONTENT


def test_a_symbolic_link_in_place_of_the_part_file_is_not_followed(run: CommandLine, partial_file: Path) -> None:
    Path("precious").write_bytes(b"mine")
    partial_file.unlink()
    partial_file.symlink_to("precious")
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
def test_no_name_is_written_outside_the_directory(run: CommandLine, server: FakeServer, name: str) -> None:
    server.files[name] = b"content"
    before = sorted(Path("..").rglob("*"))

    status, stdout, stderr = run("get", name)

    assert (status, stdout, server.requests) == (1, "", [])
    assert stderr.startswith("error: ")
    assert stderr[:-1].isprintable()
    assert sorted(Path("..").rglob("*")) == before


def test_an_unknown_name_leaves_nothing_and_does_not_stop_the_others(run: CommandLine, server: FakeServer) -> None:
    server.files["known"] = b"content"

    status, _, stderr = run("get", "unknown", "known")

    assert (status, stderr) == (1, "error: unknown: no file is named 'unknown'\n")
    assert remaining_files() == ["known"]


def test_a_directory_is_not_overwritten_by_a_file(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"content"
    Path("x").mkdir()

    assert (
        run("get", "x", "--force")[2]
        == "error: x: x is not a regular file: name a file with -o, or a directory with -O\n"
    )
    assert run("get", "x", "-O", "nowhere")[2] == "error: x: nowhere/x.part: No such file or directory\n"


def test_standard_output_gets_only_the_content(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = CONTENT.hex().encode()
    server.breaks = [1_000_000]

    assert run("get", "x", "-o", "-") == (0, CONTENT.hex(), "")
    assert remaining_files() == []


def test_standard_output_never_mixes_two_versions(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"a" * 1_000_000
    server.breaks = [500_000]
    run.during_waits = lambda: server.files.update(x=b"b" * 1_000_000)

    status, stdout, stderr = run("get", "x", "-o", "-")

    assert (status, set(stdout)) == (1, {"a"})
    assert stderr == "error: x: the file was replaced during the download: discard the output, and get it again\n"
