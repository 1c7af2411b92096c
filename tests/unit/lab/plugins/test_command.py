"""The command stand-in against a real ssh server on loopback."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import asyncssh
import pytest

from lab.plugins.command.remote import Command
from lab.plugins.serve import ProviderError

CLIENT_KEY = asyncssh.generate_private_key("ssh-ed25519")
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")


async def _serve_one(process: asyncssh.SSHServerProcess[str]) -> None:
    """Run the command for real, in a shell, with what the client sent."""
    sent = await process.stdin.read()
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", process.command or ""],
        input=sent,
        env={"PATH": "/usr/bin:/bin", **process.env},
        capture_output=True,
        text=True,
        check=False,
    )
    process.stdout.write(done.stdout)
    process.stderr.write(done.stderr)
    process.exit(done.returncode)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    loop = asyncio.new_event_loop()
    authorized = asyncssh.import_authorized_keys(CLIENT_KEY.export_public_key().decode())
    server = loop.run_until_complete(
        asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[HOST_KEY], authorized_client_keys=authorized, process_factory=_serve_one
        )
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server.get_port()
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def inputs(port: int) -> dict[str, Any]:
    connection = {
        "host": "127.0.0.1",
        "port": port,
        "user": "vagrant",
        "privateKey": CLIENT_KEY.export_private_key().decode(),
        "hostKey": HOST_KEY.export_public_key().decode().strip(),
        "dialErrorLimit": 0,
    }
    return Command().check({"connection": connection, "addPreviousOutputInEnv": False})


def test_create_runs_and_keeps_what_is_printed_less_the_last_newline(inputs: dict[str, Any]) -> None:
    _, state = Command().create({**inputs, "create": "echo out; echo; echo err >&2"}, "name")

    assert (state["stdout"], state["stderr"]) == ("out\n", "err")


def test_standard_input_reaches_the_command(inputs: dict[str, Any]) -> None:
    _, state = Command().create({**inputs, "create": "tr a-z A-Z", "stdin": "secret"}, "name")

    assert state["stdout"] == "SECRET"


def test_a_failure_shows_status_command_and_output(inputs: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as raised:
        Command().create({**inputs, "create": "echo before; echo why >&2; exit 3"}, "name")

    assert str(raised.value).startswith('Process exited with status 3: running "echo before; echo why >&2; exit 3":\n')
    assert "before\nwhy\n" in str(raised.value)


def test_without_update_a_change_runs_create_again(inputs: dict[str, Any]) -> None:
    assert Command().update("id", {**inputs, "create": "echo created"}, {})["stdout"] == "created"
    assert Command().update("id", {**inputs, "create": "echo no", "update": "echo updated"}, {})["stdout"] == "updated"


def test_without_any_command_nothing_runs_and_output_stays(inputs: dict[str, Any]) -> None:
    unreachable = {**inputs, "connection": {**inputs["connection"], "port": 1}, "delete": "false"}

    _, state = Command().create(unreachable, "name")

    assert (state["stdout"], state["stderr"]) == ("", "")


def test_delete_runs_from_what_is_stored(inputs: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="status 7"):
        Command().delete("id", {**inputs, "delete": "exit 7"})


def test_earlier_output_is_passed_on_only_if_wanted(inputs: dict[str, Any]) -> None:
    before = {"stdout": "old"}
    script = {"create": 'echo "<$PULUMI_COMMAND_STDOUT>"'}

    assert Command().update("id", {**inputs, **script}, before)["stdout"] == "<>"
    assert Command().update("id", {**inputs, **script, "addPreviousOutputInEnv": True}, before)["stdout"] == "<old>"


def test_another_host_key_is_refused(inputs: dict[str, Any]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    wrong = {**inputs, "connection": {**inputs["connection"], "hostKey": other}}

    with pytest.raises(ProviderError, match="after 0 failed attempts"):
        Command().create({**wrong, "create": "true"}, "name")


def test_another_client_key_is_refused(inputs: dict[str, Any]) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    wrong = {**inputs, "connection": {**inputs["connection"], "privateKey": other}}

    with pytest.raises(ProviderError, match="Permission denied"):
        Command().create({**wrong, "create": "true"}, "name")


def test_a_host_that_is_not_there_is_tried_as_often_as_said(inputs: dict[str, Any]) -> None:
    absent = {**inputs, "connection": {**inputs["connection"], "port": 1, "dialErrorLimit": 2}}

    with pytest.raises(ProviderError, match="after 2 failed attempts"):
        Command().create({**absent, "create": "true"}, "name")


def test_changed_triggers_replace_and_a_changed_script_updates(inputs: dict[str, Any]) -> None:
    shape = Command.shape

    assert shape.replaces({**inputs, "triggers": ["a"]}, {**inputs, "triggers": ["b"]})
    assert not shape.replaces({**inputs, "create": "a"}, {**inputs, "create": "b"})


def test_defaults_of_the_connection_are_the_real_ones() -> None:
    connection = Command().check({"connection": {"host": "h"}})["connection"]

    assert connection == {"host": "h", "user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}


def test_an_unknown_kind_of_logging_is_refused() -> None:
    with pytest.raises(ValueError, match="logging is «all»: use one of stdout"):
        Command().check({"connection": {"host": "h"}, "logging": "all"})
