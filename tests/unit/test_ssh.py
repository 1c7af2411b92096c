"""Hosts are reached only with recorded host keys, and refused connections are retried."""

import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.ssh import (
    Jump,
    SshError,
    SshTarget,
    ask,
    interpreter,
    knows_host,
    needs_passphrase,
    record_gone,
)

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFkZVzupcfkEposj1yPcY3nRNTmnUXA+f87U0MSgteFx"


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    path = tmp_path / "known_hosts"
    path.write_text(f"# a comment\n192.168.50.2 {ED25519}\n192.168.50.20 {ED25519}\n")
    return path


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that replaces ssh by a shell script, and makes the pauses between attempts take no time."""

    def install(script: str) -> None:
        for name, text in (("ssh", script), ("sleep", "")):
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def test_only_recorded_addresses_are_known(known_hosts: Path) -> None:
    assert knows_host(known_hosts, "192.168.50.2")
    assert not knows_host(known_hosts, "192.168.50.3")


def test_hashed_addresses_are_recognised(known_hosts: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known_hosts)], check=True, capture_output=True)
    assert "192.168" not in known_hosts.read_text()

    assert knows_host(known_hosts, "192.168.50.2")
    assert not knows_host(known_hosts, "192.168.50.3")


def test_ssh_accepts_only_recorded_host_keys_and_never_prompts(target: SshTarget) -> None:
    for option in ("StrictHostKeyChecking=yes", "GlobalKnownHostsFile=none", "BatchMode=yes", "IdentitiesOnly=yes"):
        assert option in target.options
    assert f"UserKnownHostsFile={target.known_hosts_file}" in target.options


def test_slow_hosts_have_longer_to_connect_and_to_answer(target: SshTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []

    def run(command: list[str], *, timeout: int, **_: object) -> subprocess.CompletedProcess[str]:
        limits.append(timeout)
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(subprocess, "run", run)
    slow = replace(target, patience=4)

    assert {"ConnectTimeout=15", "ServerAliveInterval=15"} <= set(target.options)
    assert {"ConnectTimeout=60", "ServerAliveInterval=60"} <= set(slow.options)
    for host in (target, slow):
        ask(host, "true", timeout=10)
    assert limits == [10, 40]


def test_another_port_and_a_jump_host_are_options_with_the_same_checks(target: SshTarget) -> None:
    behind = replace(target, port=2222, jump=Jump(address="bastion.example", user="op", port=2200))

    assert behind.options[: len(target.options)] == target.options
    assert "Port=2222" in behind.options
    (proxy,) = [option for option in behind.options if option.startswith("ProxyCommand=")]
    *words, forwarding, destination = shlex.split(proxy.removeprefix("ProxyCommand="))
    assert words == ["ssh", *target.options, "-p", "2200", "op@bastion.example"]
    assert (forwarding, destination) == ("-W", "%h:%p")


def test_a_path_of_the_jump_hosts_options_is_passed_on_whole(target: SshTarget) -> None:
    jump = Jump(address="bastion.example", user="op")

    options = replace(target, private_key_file=Path("~/my %k/id"), jump=jump).options

    (proxy,) = [option for option in options if option.startswith("ProxyCommand=")]
    assert "-i '~/my %%k/id' " in proxy, "ssh replaces %, and its shell splits words"


def test_the_key_of_another_port_has_an_entry_of_its_own(known_hosts: Path) -> None:
    known_hosts.write_text(f"[192.168.50.2]:2222 {ED25519}\n")

    assert knows_host(known_hosts, "192.168.50.2", 2222)
    assert not knows_host(known_hosts, "192.168.50.2")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh agent without keys."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()  # it listens
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield
    process.terminate()
    process.wait()
    process.stdout.close()


def make_key(path: Path, passphrase: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)
    path.with_suffix(".pub").unlink()
    return path


@pytest.mark.usefixtures("agent")
def test_a_key_with_a_passphrase_needs_an_agent_that_has_it(tmp_path: Path) -> None:
    key, other = make_key(tmp_path / "key", "secret"), make_key(tmp_path / "other", "")
    subprocess.run(["ssh-add", "-q", str(other)], check=True)
    assert not needs_passphrase(other)
    assert needs_passphrase(key)

    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "secret", "-N", "", "-f", str(key)], check=True)
    subprocess.run(["ssh-add", "-q", str(key)], check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(key)], check=True)
    assert not needs_passphrase(key)


def test_without_an_agent_a_key_with_a_passphrase_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    assert needs_passphrase(make_key(tmp_path / "key", "secret"))


def test_a_failing_script_raises_an_error_with_its_stderr(fake_ssh: Callable[[str], None], target: SshTarget) -> None:
    fake_ssh("cat >/dev/null\necho 'it hurts' >&2\nexit 3")

    with pytest.raises(SshError, match="it hurts"):
        ask(target, "true")


def test_a_failed_connection_is_retried_with_the_same_input(
    fake_ssh: Callable[[str], None], target: SshTarget, tmp_path: Path
) -> None:
    fake_ssh(f'echo >>{tmp_path}/attempts\n[ $(wc -l <{tmp_path}/attempts) -eq 3 ] || exit 255\necho "$@"\ncat')

    command = [*interpreter(target, "lab"), "script"]
    done = subprocess.run(command, input="data", capture_output=True, text=True, check=True)

    assert done.stdout == f"{' '.join(target.options)} {target.login} script\ndata"


@pytest.mark.parametrize(("status", "attempts"), [(255, 5), (3, 1)], ids=["no connection", "the script failed"])
def test_the_last_status_is_returned_and_a_failed_script_is_not_retried(
    fake_ssh: Callable[[str], None], target: SshTarget, tmp_path: Path, status: int, attempts: int
) -> None:
    fake_ssh(f"echo >>{tmp_path}/attempts\nexit {status}")

    assert subprocess.run([*interpreter(target, "lab"), "script"], check=False).returncode == status
    assert len((tmp_path / "attempts").read_text().splitlines()) == attempts


def test_nothing_runs_on_a_host_that_is_gone_and_the_others_are_asked(
    fake_ssh: Callable[[str], None], target: SshTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where Pulumi runs the program and the commands
    fake_ssh("exit 9")
    other = replace(target, address=f"{target.address}0")

    record_gone([target], "other")
    assert subprocess.run([*interpreter(target, "lab"), "script"], check=False).returncode == 9, "of another stack"
    record_gone([target], "lab")
    assert subprocess.run([*interpreter(target, "lab"), "script"], check=False).returncode == 0
    assert subprocess.run([*interpreter(other, "lab"), "script"], check=False).returncode == 9

    record_gone([], "lab")
    assert subprocess.run([*interpreter(target, "lab"), "script"], check=False).returncode == 9
