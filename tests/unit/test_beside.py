"""A program of ours runs beside a task of its service, on the host that has one."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from components.ssh import SshError, SshTarget
from operations import backups, beside, scrub
from operations.beside import Program
from operations.health import Swarm
from operations.stack import ConfiguredHosts, OperationError
from settings.models import Host

PROGRAM = Program(service="backup", module="backup", absent="set `backup`")


def node(identifier: str, host: str) -> dict[str, Any]:
    return {
        "ID": identifier,
        "Spec": {"Labels": {"swarm-transfer.host": host}, "Availability": "active"},
        "Status": {"State": "ready"},
    }


NODES = [node("n1", "master"), node("n2", "slave")]
SERVICE = {"ID": "s1", "Spec": {"Name": "backup"}}


def task(state: str) -> dict[str, Any]:
    return {"ServiceID": "s1", "NodeID": "n2", "Status": {"State": state}}


def swarm(services: Sequence[dict[str, Any]] = (SERVICE,), tasks: Sequence[dict[str, Any]] = ()) -> Swarm:
    return Swarm(NODES, services, tasks)


@pytest.fixture
def configured(target: SshTarget) -> ConfiguredHosts:
    hosts = [
        Host(name="first", address="192.168.50.4", role="manager"),
        Host(name="master", address="192.168.50.2", role="manager"),
        Host(name="slave", address="192.168.50.3", role="worker"),
    ]
    targets = {
        host.name: SshTarget(
            name=host.name,
            address=str(host.address),
            user="vagrant",
            private_key_file=target.private_key_file,
            known_hosts_file=target.known_hosts_file,
        )
        for host in hosts
    }
    return ConfiguredHosts(hosts, targets)


def test_the_host_is_the_one_whose_task_runs() -> None:
    assert beside.host_of(swarm(tasks=[task("running")]), PROGRAM) == "slave"


@pytest.mark.parametrize(
    ("found", "expected"),
    [(swarm(services=()), "set `backup`"), (swarm(tasks=[task("starting")]), "does not run")],
    ids=["no service", "no task"],
)
def test_without_a_running_service_the_error_says_what_to_do(found: Swarm, expected: str) -> None:
    with pytest.raises(OperationError, match=expected):
        beside.host_of(found, PROGRAM)


def test_the_program_gets_its_words_and_its_input_through_a_manager_that_answers(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    asked: list[tuple[str, str]] = []

    def look_at(manager: SshTarget) -> Swarm:
        if manager.name == "first":
            raise SshError("no answer")
        return swarm(tasks=[task("running")])

    def show(target: SshTarget, script: str) -> int:
        asked.append((target.name, script))
        return 0

    monkeypatch.setattr(beside.health, "look_at", look_at)
    monkeypatch.setattr(beside, "show", show)

    beside.run(configured, PROGRAM, ["restore", "--file", "it's"], stdin="{'a'}")

    ((host, script),) = asked
    assert host == "slave"
    assert "set -- restore --file 'it'\"'\"'s'\n" in script
    assert "INPUT='{'\"'\"'a'\"'\"'}'\n" in script
    assert "SERVICE=backup\nMODULE=backup\n" in script


def test_a_program_that_fails_has_said_why(monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts) -> None:
    monkeypatch.setattr(beside.health, "look_at", lambda _: swarm(tasks=[task("running")]))
    monkeypatch.setattr(beside, "show", lambda *_: 1)

    with pytest.raises(OperationError, match="slave: `backup list` ended with status 1"):
        beside.run(configured, PROGRAM, ["list"])


def test_without_any_manager_their_errors_are_named(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts
) -> None:
    def fail(manager: SshTarget) -> Swarm:
        raise SshError(f"{manager.name} is off")

    monkeypatch.setattr(beside.health, "look_at", fail)

    with pytest.raises(SshError, match="first is off\nmaster is off"):
        beside.run(configured, PROGRAM, ["list"])


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        (scrub, ["--rate", "20"], (scrub.PROGRAM, ["--rate", "20"], "")),
        (backups, ["list"], (backups.PROGRAM, ["list"], "")),
        (backups, ["restore", "--file", "x"], (backups.RESTORE, ["restore", "--file", "x"], "")),
    ],
    ids=["scrub", "backups", "a restore"],
)
def test_a_command_passes_its_words_on(
    monkeypatch: pytest.MonkeyPatch, configured: ConfiguredHosts, command: Any, words: list[str], expected: object
) -> None:
    asked: list[object] = []

    def run(found: ConfiguredHosts, program: Program, words: list[str], *, stdin: str = "") -> None:
        assert found is configured
        asked.append((program, words, stdin))

    monkeypatch.setattr(command, "configured_hosts", lambda: configured)
    monkeypatch.setattr(beside, "run", run)
    monkeypatch.setattr("sys.argv", ["command", *words])

    assert command.main() == 0
    assert asked == [expected]


DOCKER = """#!/bin/sh
echo "$*" >>calls
case $* in
  "ps "*) echo c1 ;;
  *Args*) cat arguments ;;
  *Image*) echo sha256:backup ;;
  *Mounts*) echo files ;;
  "run "*)
    IFS= read -r line
    echo "written: $line" ;;
  "exec "*" --piped")
    echo "of the backup"
    IFS= read -r answer
    echo "$answer" >&2
    exit 3 ;;
  "exec "*) cat ;;
esac
"""
"""A docker that knows one container. Two programs in containers are linked, or wait for each other for ever."""


def run_script(
    folder: Path, program: Program, storage: str, *words: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run its script on the host of a service whose files are in this storage. Return its end, and docker's calls."""
    (folder / "arguments").write_text(f"env\nFILE_TRANSFER_STORAGE={storage}\nBACKUP_CLUSTER=lab\npython3\n")
    variables = {"SERVICE": "backup", "MODULE": "backup", "INPUT": "it's", "OWNER": 10001}
    text = beside.script(program, words, variables)
    done = subprocess.run(["sh", "-s"], input=text, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done, (folder / "calls").read_text()


def test_a_program_runs_in_the_container_with_its_words_and_its_input(docker: Path) -> None:
    done, calls = run_script(docker, backups.PROGRAM, "cluster", "now", "--state", "-")

    assert (done.stdout, done.stderr, done.returncode) == ("it's", "", 0)
    assert calls.splitlines()[-1].startswith("exec -i --env-file ")
    assert calls.endswith("/variables c1 python3 -m backup now --state -\n")


def test_a_restore_into_the_cluster_is_done_by_the_service_itself(docker: Path) -> None:
    done, calls = run_script(docker, backups.RESTORE, "cluster", "restore", "--keep-existing")

    assert (done.stderr, done.returncode) == ("", 0)
    assert calls.endswith("/variables c1 python3 -m backup restore --keep-existing\n")
    assert "run " not in calls


def test_a_restore_into_a_directory_is_written_by_the_owner_of_the_files_alone(docker: Path) -> None:
    done, calls = run_script(docker, backups.RESTORE, "directory", "restore", "--file", "a b")

    assert done.stderr == "written: of the backup\n", "each of the two gets what the other one says"
    assert done.returncode == 3, "it is the reader's, which reports what both have done"
    (reader,) = [line for line in calls.splitlines() if line.startswith("exec ")]
    assert reader.endswith("c1 python3 -m backup restore --file a b --piped")
    (writer,) = [line for line in calls.splitlines() if line.startswith("run ")]
    assert writer.endswith(" sha256:backup python3 -m backup write")
    for option in (
        "--rm",
        "--interactive",
        "--user 10001:10001",
        "--cap-drop ALL",
        "--network none",
        "--read-only",
        "--volume files:/data",
    ):
        assert f" {option} " in writer
