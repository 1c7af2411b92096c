"""`put`: what is stored, what is resumed, and what is reported."""

import hashlib
import io
import os
import sys
from pathlib import Path

import pytest
from fake_server import FakeServer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from running_client import CommandLine

from file_transfer import digests
from file_transfer_client import source
from file_transfer_client.api import TRIES

LARGE = os.urandom(3_000_000)
SHA256 = hashlib.sha256(LARGE).hexdigest()


@pytest.fixture
def large(run: CommandLine) -> Path:  # noqa: ARG001 - it creates the directory
    path = Path("large.bin")
    path.write_bytes(LARGE)
    return path


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, 600_000])
def test_a_file_is_stored_and_reported(run: CommandLine, server: FakeServer, size: int) -> None:
    Path("é x.bin").write_bytes(LARGE[:size])

    status, stdout, stderr = run("put", "é x.bin")

    assert (status, stderr) == (0, "")
    assert stdout == f"é x.bin {size} bytes sha256:{hashlib.sha256(LARGE[:size]).hexdigest()}\n"
    assert server.files == {"é x.bin": LARGE[:size]}


def test_a_small_file_is_sent_in_one_request_with_its_digest(run: CommandLine, server: FakeServer) -> None:
    Path("a").write_bytes(b"abc")

    run("put", "a", "--as", "b/../c".replace("/", "%"), "--ttl", "2h", "--max-downloads", "3")

    assert server.requests == ["PUT /files/b%25..%25c?ttl=2h&max-downloads=3"]
    assert server.headers[0]["repr-digest"] == digests.repr_digest(hashlib.sha256(b"abc").hexdigest())


def test_a_large_file_is_sent_with_its_limits(run: CommandLine, server: FakeServer, large: Path) -> None:
    assert run("put", str(large), "--as", "other", "--ttl", "7d", "--max-downloads", "1")[0] == 0

    assert server.limits == {"other": {"ttl": "7d", "max-downloads": "1"}}


def test_a_broken_upload_resumes_where_it_broke(run: CommandLine, server: FakeServer, large: Path) -> None:
    server.breaks = [1_000_000, 500_000]

    status, stdout, stderr = run("put", str(large))

    assert (status, stdout, stderr) == (0, f"large.bin 3000000 bytes sha256:{SHA256}\n", "")
    assert server.files["large.bin"] == LARGE
    assert [headers["upload-offset"] for headers in server.headers if "upload-offset" in headers] == [
        "0", "1000000", "1500000",
    ]  # fmt: skip
    assert len(run.waits) == 2


def test_an_upload_waits_for_the_replica_that_holds_it(run: CommandLine, server: FakeServer, large: Path) -> None:
    server.locked = 2

    assert run("put", str(large))[0] == 0
    assert (server.files["large.bin"], len(run.waits)) == (LARGE, 2)


def test_bytes_that_the_server_did_not_keep_are_sent_again(run: CommandLine, server: FakeServer, large: Path) -> None:
    server.dropped_bytes = 1000

    assert run("put", str(large))[1] == f"large.bin 3000000 bytes sha256:{SHA256}\n"
    assert server.headers[-2]["upload-offset"] == "2999000"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@example(breaks=[2000], size=2000)  # every byte arrived, but the server ended before it published the file
@given(breaks=st.lists(st.integers(0, 400_000), max_size=5), size=st.integers(1, 900_000))
def test_an_upload_is_complete_wherever_the_connection_breaks(
    run: CommandLine, server: FakeServer, breaks: list[int], size: int
) -> None:
    Path("x").write_bytes(LARGE[:size])
    server.breaks = list(breaks)

    assert run("put", "x", "--quiet") == (0, "", "")
    assert server.files["x"] == LARGE[:size]
    server.breaks.clear()


def test_running_the_command_again_resumes_an_interrupted_upload(
    run: CommandLine, server: FakeServer, large: Path
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    server.breaks = [2_000_000]
    run.during_waits = interrupt
    status, stdout, stderr = run("put", str(large))
    assert (status, stdout, stderr) == (1, "", "error: put: interrupted: run the same command again to resume\n")

    run.during_waits = lambda: None
    server.requests.clear()
    assert run("put", str(large))[:2] == (0, f"large.bin 3000000 bytes sha256:{SHA256}\n")
    assert server.requests[:2] == ["HEAD /uploads/1", "PATCH /uploads/1"]
    assert server.headers[-2]["upload-offset"] == "2000000"
    assert not list(Path("../state/file-transfer").iterdir())


def test_changed_content_is_sent_from_the_start(run: CommandLine, server: FakeServer, large: Path) -> None:
    server.breaks = [2_000_000] + [0] * 2 * TRIES
    assert run("put", str(large))[0] == 1
    assert list(server.uploads) == ["1"]
    server.breaks.clear()
    large.write_bytes(LARGE[::-1])
    os.utime(large, (1, 1))

    assert run("put", str(large))[0] == 0
    assert server.files["large.bin"] == LARGE[::-1]


def test_an_upload_that_the_server_has_forgotten_starts_again(
    run: CommandLine, server: FakeServer, large: Path
) -> None:
    server.breaks = [2_000_000]
    run.during_waits = server.uploads.clear

    assert run("put", str(large))[0] == 0
    assert server.files["large.bin"] == LARGE
    assert server.requests.count("POST /uploads") == 2


@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_a_lost_response_is_not_a_failure(run: CommandLine, server: FakeServer, size: int) -> None:
    Path("x").write_bytes(LARGE[:size])
    server.loses_response_to = "PUT" if size == 10 else "PATCH"

    assert run("put", "x", "--no-overwrite")[0] == 0
    assert server.files["x"] == LARGE[:size]
    assert server.requests.count("POST /uploads") == (0 if size == 10 else 1)


@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_no_overwrite_keeps_an_existing_file(run: CommandLine, server: FakeServer, size: int) -> None:
    Path("x").write_bytes(LARGE[:size])
    server.files["x"] = b"old"

    status, stdout, stderr = run("put", "x", "--no-overwrite")

    assert (status, stdout, server.files["x"]) == (1, "", b"old")
    assert stderr.startswith("error: x: there is a file of that name: leave out --no-overwrite")
    assert run("put", "x")[0] == 0


def test_no_overwrite_keeps_a_file_stored_during_the_upload(run: CommandLine, server: FakeServer) -> None:
    Path("x").write_bytes(LARGE)
    server.breaks = [len(LARGE) // 2]
    run.during_waits = lambda: server.files.update(x=b"first")

    status, _, stderr = run("put", "x", "--no-overwrite")

    assert (status, server.files["x"]) == (1, b"first")
    assert stderr.startswith("error: x: there is a file of that name: leave out --no-overwrite")


@pytest.mark.parametrize("size", [10, len(LARGE)])
def test_a_file_that_arrives_damaged_is_reported(run: CommandLine, server: FakeServer, size: int) -> None:
    Path("x").write_bytes(LARGE[:size])
    server.damages = True

    status, stdout, stderr = run("put", "x")

    assert (status, stdout) == (1, "")
    assert stderr.startswith("error: x: the server has SHA-256 ")
    assert stderr.endswith("was sent: put it again\n")


def test_a_token_that_can_only_write_is_enough(run: CommandLine, server: FakeServer, large: Path) -> None:
    server.unreadable = True

    status, stdout, stderr = run("put", str(large))

    assert (status, stdout) == (0, f"large.bin 3000000 bytes sha256:{SHA256}\n")
    assert (
        stderr == f"note: large.bin is stored, but could not be verified: {server.url} responded with 403 Forbidden\n"
    )


def test_a_file_that_changes_during_the_upload_is_never_published(
    run: CommandLine, server: FakeServer, large: Path
) -> None:
    server.breaks = [2_000_000]

    def change() -> None:
        with large.open("r+b") as file:
            file.write(b"changed")
        os.utime(large, (1, 1))

    run.during_waits = change
    status, _, stderr = run("put", str(large))

    assert (status, server.files) == (1, {})
    assert stderr == "error: large.bin: the file was changed while it was read: put it again\n"


def test_standard_input_is_streamed(run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LARGE)))

    assert run("put", "-", "--as", "piped")[:2] == (0, f"piped 3000000 bytes sha256:{SHA256}\n")
    assert server.files == {"piped": LARGE}
    assert server.headers[0]["transfer-encoding"] == "chunked"


def test_an_interrupted_upload_of_standard_input_is_reported(
    run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LARGE)))
    server.breaks = [1_000_000]

    status, _, stderr = run("put", "-", "--as", "piped")

    assert (status, server.files, run.waits) == (1, {}, [])
    assert stderr.endswith("the input cannot be read again: run the whole pipeline again\n")


def test_standard_input_is_not_read_before_a_server_is_reachable(
    run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LARGE)))
    run.servers = f"http://127.0.0.1:1,{server.url}"

    assert run("put", "-", "--as", "piped")[0] == 0
    assert server.files == {"piped": LARGE}


def test_one_bad_file_does_not_stop_the_others(run: CommandLine, server: FakeServer) -> None:
    Path("good").write_bytes(b"content")
    Path("folder").mkdir()
    os.mkfifo("pipe")

    status, stdout, stderr = run("put", "missing", "folder", "pipe", "good")

    assert (status, list(server.files)) == (1, ["good"])
    assert stdout.startswith("good 7 bytes ")
    assert stderr.splitlines() == [
        "error: missing: No such file or directory",
        'error: folder: this is not a regular file: put files one by one, and anything else as "-" with --as',
        'error: pipe: this is not a regular file: put files one by one, and anything else as "-" with --as',
    ]


def test_unwritable_state_is_reported_with_the_remedy(
    run: CommandLine, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("no-directory").touch()
    monkeypatch.setenv("XDG_STATE_HOME", "no-directory")

    status, _, stderr = run("put", str(large))

    assert status == 1
    assert stderr.endswith("set XDG_STATE_HOME to a writable directory\n")


@given(content=st.binary(max_size=200), starts=st.lists(st.integers(0, 200), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_source_digest_is_right_however_often_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, starts: list[int]
) -> None:
    monkeypatch.setattr(source, "BLOCK_BYTES", 7)
    (tmp_path / "x").write_bytes(content)
    with (tmp_path / "x").open("rb", buffering=0) as file:
        read = source.Source(file)
        for start in starts:
            first = min(start, len(content))
            assert b"".join(read.content_from(first)) == content[first:]

        assert read.sha256() == hashlib.sha256(content).hexdigest()
