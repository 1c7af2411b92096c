"""The client's command line: listing, removing, choice of servers, tokens, and error messages."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import fake_server
import pytest
from certificates import self_signed
from fake_server import FakeServer
from hypothesis import given
from hypothesis import strategies as st
from running import CLIENT
from running_client import CommandLine

from file_transfer.digests import repr_digest
from file_transfer_client import progress
from file_transfer_client.__main__ import main
from file_transfer_client.api import TRIES
from file_transfer_client.digests import sha256_in


def test_a_list_shows_all_pages(run: CommandLine, server: FakeServer) -> None:
    server.files.update({f"f{number}": b"abc" for number in range(8)}, other=b"")

    status, stdout, stderr = run("ls", "f")

    assert (status, stderr) == (0, "")
    assert [line.split() for line in stdout.splitlines()] == [
        ["3", "2026-11-23", "20:00:00", "ba7816bf8f01", f"f{number}"] for number in range(8)
    ]
    assert len(server.requests) == 3


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_list_can_be_printed_as_json(run: CommandLine, server: FakeServer, count: int) -> None:
    server.files.update({f"f{number}": b"abc" for number in range(count)})

    status, stdout, _ = run("ls", "--json")

    assert status == 0
    assert [file["name"] for file in json.loads(stdout)] == sorted(server.files)


def test_control_characters_in_names_never_reach_the_terminal(run: CommandLine, server: FakeServer) -> None:
    server.files["../x\x1b[2J\n"] = b""

    stdout = run("ls")[1]

    assert stdout.endswith("  '../x\\x1b[2J\\n'\n")
    assert run("ls", "--json")[1].isascii()


def test_a_link_to_another_server_is_not_followed(run: CommandLine, server: FakeServer) -> None:
    with fake_server.serving() as other:
        server.next_page = f"{other.url}/files"

        status, _, stderr = run("ls")

        assert (status, other.requests) == (1, [])
        assert (
            stderr == f"error: ls: {server.url} links to another server, {other.url}/files: do not trust this server\n"
        )


@pytest.mark.parametrize("response", [{}, [1], [{}], [{"name": 1}], [{"name": "x", "modified": "never"}]])
def test_a_response_that_is_not_a_list_of_files_is_an_error(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, response: object
) -> None:
    monkeypatch.setattr(
        fake_server._Handler, "_list", lambda self, _: self._respond(200, json.dumps(response).encode())
    )

    status, stdout, stderr = run("ls")

    assert (status, stdout) == (1, "")
    assert stderr == "error: ls: the response is not a list of files: is this the address of a file-transfer server?\n"


def test_files_are_removed(run: CommandLine, server: FakeServer) -> None:
    server.files.update(a=b"", b=b"", c=b"")

    status, stdout, stderr = run("rm", "a", "unknown", "b")

    assert (status, stdout, list(server.files)) == (1, "", ["c"])
    assert stderr == "error: unknown: no file is named 'unknown'\n"


def test_a_removal_whose_response_was_lost_succeeds(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b""
    server.loses_response_to = "DELETE"

    assert run("rm", "x") == (0, "", "")


def test_the_next_server_is_tried_without_a_pause(run: CommandLine, server: FakeServer) -> None:
    server.files["x"] = b"content"
    run.servers = f"http://127.0.0.1:1, {server.url}/"

    assert run("get", "x")[0] == 0
    assert run.waits == []


def test_an_upload_resumes_on_another_server(run: CommandLine, server: FakeServer) -> None:
    Path("x").write_bytes(os.urandom(1_000_000))
    with fake_server.serving() as other:
        other.files, other.uploads = server.files, server.uploads
        server.breaks = [400_000]
        run.servers = f"{server.url},{other.url}"

        assert run("put", "x")[0] == 0
        assert server.files["x"] == Path("x").read_bytes()
        assert other.requests[:2] == ["HEAD /uploads/1", "PATCH /uploads/1"]


def test_the_client_gives_up_on_unreachable_servers(run: CommandLine) -> None:
    run.servers = "http://127.0.0.1:1,http://127.0.0.1:2"

    status, _, stderr = run("get", "x")

    assert (status, len(run.waits)) == (1, TRIES - 1)
    assert all(after > before / 2 for before, after in zip(run.waits, run.waits[1:], strict=False))
    assert stderr == (
        f"error: x: http://127.0.0.1:2: Connection refused; gave up after {2 * TRIES} tries: "
        "run the same command again when the server is back\n"
    )


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_retry_after_is_honoured(run: CommandLine, server: FakeServer, status: int) -> None:
    server.files["x"] = b"content"
    server.busy, server.busy_status = 2, status

    assert run("get", "x")[0] == 0
    assert run.waits == [7, 7]


def test_a_token_comes_from_the_environment_or_a_file(
    run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.token = "s3cret"
    Path("token").write_text("s3cret\n")
    Path("x").write_bytes(b"content")

    status, _, stderr = run("put", "x")
    assert (status, server.files) == (1, {})
    assert stderr == "error: x: a token is needed: set FILE_TRANSFER_TOKEN or give --token-file\n"

    assert run("put", "x", "--token-file", "token")[0] == 0
    monkeypatch.setenv("FILE_TRANSFER_TOKEN", "s3cret")
    assert run("ls")[0] == 0


def test_passwords_in_netrc_are_not_sent(run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("netrc").write_text("machine 127.0.0.1 login somebody password s3cret\n")
    monkeypatch.setenv("NETRC", "netrc")

    run("ls")

    assert "authorization" not in server.headers[0]


def test_a_server_with_an_untrusted_certificate_gets_no_request(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("right.pem").write_text(self_signed())
    Path("wrong.pem").write_text(self_signed(with_key=False))
    with fake_server.serving(Path("right.pem")) as server:
        run.servers = server.url
        server.files["x"] = os.urandom(1_000_000)
        server.breaks = [400_000]

        status, _, stderr = run("ls", "--cacert", "wrong.pem")
        assert (status, server.requests, run.waits) == (1, [], [])
        assert stderr.startswith(f"error: ls: {server.url}: ")
        assert stderr.endswith(": give the certificate of its authority with --cacert\n")

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "wrong.pem")
        assert run("get", "x", "--cacert", "right.pem")[0] == 0
        assert Path("x").read_bytes() == server.files["x"]


def test_a_redirect_is_reported_and_not_followed(run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"Location": "https://files.example/files"}
    monkeypatch.setattr(fake_server._Handler, "_list", lambda self, _: self._respond(301, b"", elsewhere))

    stderr = run("ls")[2]

    assert stderr.endswith(
        "responded with 301 Moved Permanently, to https://files.example/files: give that address with --server\n"
    )


@pytest.mark.parametrize("body", [b"error: no\x1bthing\nmore", b'{"error": "no\\u001bthing"}'])
def test_a_server_message_is_printed_on_one_line(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(fake_server._Handler, "_list", lambda self, _: self._respond(418, body))

    assert run("ls") == (1, "", "error: ls: no thing\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["put", "-"], "standard input has no name"),
        (["put", "a", "b", "--as", "c"], "--as names one file"),
        (["put", "a", "--max-downloads", "0"], "is not a count"),
        (["get", "a", "b", "-o", "c"], "-o is for one file"),
        (["get", "a", "-o", "c", "-O", "d"], "not allowed with"),
        (["ls", "--server", "127.0.0.1:5001"], "is not a server address"),
        (["ls", "--server", "http://127.0.0.1:5001/path"], "is not a server address"),
        (["ls", "--server", "http://user@127.0.0.1"], "is not a server address"),
        (["ls", "--server", "http://127.0.0.1:x"], "is not a server address"),
        (["ls", "--cacert", "missing"], "cannot be read"),
        (["ls", "--token-file", "missing"], "cannot be read"),
        (["ls", "--token-file", "/dev/stdin"], "cannot be read"),
        ([], "required"),
    ],
)
def test_an_invalid_command_line_exits_with_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "two\nlines", "tok en", "tök"])
def test_an_invalid_token_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str) -> None:
    (tmp_path / "token").write_text(token)

    with pytest.raises(SystemExit):
        main(["ls", "--token-file", str(tmp_path / "token")])

    assert "is not a valid token" in capsys.readouterr().err


def test_a_closed_pipe_ends_the_program_without_a_message(server: FakeServer) -> None:
    server.files["x"] = os.urandom(3_000_000)
    environment = {**os.environ, "PYTHONPATH": str(CLIENT), "FILE_TRANSFER_URL": server.url}
    command = [sys.executable, "-m", "file_transfer_client", "get", "x", "-o", "-"]

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout
        assert client.stderr
        client.stdout.read(10)
        client.stdout.close()

        assert (client.wait(30), client.stderr.read()) == (1, b"")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_progress(run: CommandLine, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["x"] = os.urandom(3_000_000)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    run("get", "x")
    shown = terminal.getvalue()
    run("get", "x", "--force", "--quiet")

    assert shown.startswith("\rx  64.0 KiB of 2.9 MiB  2%")
    assert shown.endswith("\r\033[K")
    assert terminal.getvalue() == shown


def test_progress_is_described_in_words() -> None:
    text = progress.describe(12 * 2**20, 40 * 2**20, 10 * 2**20, 2.0)

    assert text == "12.0 MiB of 40.0 MiB  30%  5.0 MiB/s  0:00:06 left"
    assert progress.describe(5, None, 5, 0) == "5 B  0 B/s"


@given(position=st.integers(0, 2**60), extra=st.integers(0, 2**60), seconds=st.floats(0, 1e9))
def test_any_progress_can_be_described(position: int, extra: int, seconds: float) -> None:
    assert progress.describe(position, position + extra, position, seconds).isprintable()


@given(st.binary(min_size=32, max_size=32))
def test_a_written_digest_can_be_read_back(digest: bytes) -> None:
    assert sha256_in({"Repr-Digest": f"sha-512=:AAAA:, {repr_digest(digest.hex())}"}) == digest.hex()
    assert sha256_in({"ETag": f'"{digest.hex()}"'}) == digest.hex()
    assert sha256_in({"ETag": f'W/"{digest.hex()}"'}) is None
