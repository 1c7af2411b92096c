"""The demo's commands: what `make preview`, `make up`, `make status` and `lab/exec` do."""

import json
import os
import subprocess

import pytest

import lab.__main__ as command_line
from lab import configuration, demo, engine, hosts, mode, namespace, pulumi_cli, stack, update
from lab.online import OnlineLifecycle
from lab.packages import LabError
from lab.paths import Lab

HOSTS = [{"name": "master", "address": "192.168.50.2"}, {"name": "slave", "address": "192.168.50.3"}]

# Like the real CLI, `up` and `preview` write an event log.
PULUMI = """#!/bin/sh
printf '%s\\n' "$*" >> "$FAKE/arguments"
case "$*" in
  *--event-log*)
    for log; do :; done
    printf '%s\\n' '{"summaryEvent": {"resourceChanges": {"same": 60, "update": 1}}}' > "$log"
    exit "$STATUS" ;;
esac
"""

# The name of one service begins with the name of the other.
DOCKER = """#!/bin/sh
case "$*" in
  "node ls"*) echo "  master: Ready, Active Leader" ;;
  *--filter*name=object-store\\ *) printf '  object-store 1/1:\\n  object-store-master 1/1:\\n' ;;
  "service ls"*) printf 'object-store 1/1\\nobject-store-master 3/3 (max 1 per node)\\n' ;;
  "service ps object-store "*) echo master ;;
  "service ps object-store-master "*) printf 'master\\nslave\\nmaster\\n' ;;
esac
"""


@pytest.fixture
def lab(tmp_path):
    lab = Lab(name="demo", checkout=tmp_path / "checkout")
    lab.ssh_dir.mkdir(parents=True)
    (lab.checkout / "Pulumi.lab.yaml").write_text(json.dumps({"config": {"swarm-transfer:hosts": HOSTS}}))
    (lab.ssh_dir / "known_hosts").write_text("".join(f"{host['address']} ssh-ed25519 AAAA\n" for host in HOSTS))
    configuration.write(lab, {}, {})
    return lab


@pytest.fixture
def tools(tmp_path, monkeypatch):
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, script in (("pulumi", PULUMI), ("docker", DOCKER)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("STATUS", "0")
    return folder


@pytest.fixture
def started(tools, tmp_path, monkeypatch):
    """Makes the lab look up, and returns the names of the steps that were taken."""
    steps = []

    def configure(_):
        steps.append("configuration")
        return tools

    monkeypatch.setattr(engine, "MACHINE_DIR", tmp_path / "machine")
    monkeypatch.setattr(engine, "answers", lambda _: True)
    monkeypatch.setattr(namespace, "command", lambda _, arguments: list(arguments))
    monkeypatch.setattr(demo, "configure", configure)
    monkeypatch.setattr(hosts, "up", lambda _: steps.append("hosts"))
    monkeypatch.setattr(stack, "prepare", lambda *_: steps.append("stack"))
    return steps


def test_up_applies_the_settings_to_hosts_and_cluster(lab, tools, started, capsys):
    update.up(lab)

    assert started == ["configuration", "hosts", "stack"]
    assert " up --yes --skip-preview --diff --event-log " in (tools / "arguments").read_text()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "The cluster is up, after 1 change (update 1); 60 resources stayed as they were."
    )


def test_preview_starts_no_hosts_and_says_what_up_would_do(lab, tools, started, capsys):
    update.preview(lab)

    assert started == ["configuration", "stack"]
    assert " preview --diff --event-log " in (tools / "arguments").read_text()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "`make up` would make 1 change (update 1); 60 resources would stay as they are."
    )


@pytest.mark.usefixtures("started")
def test_a_failing_up_does_not_report_success(lab, monkeypatch, capsys):
    monkeypatch.setenv("STATUS", "1")

    with pytest.raises(LabError, match=r"\Apulumi up .*failed: see above\Z"):
        update.up(lab)
    assert "The cluster is up" not in capsys.readouterr().out


@pytest.mark.usefixtures("started")
def test_preview_names_a_new_host(lab, tools):
    configuration.write(lab, {}, {"hosts": [*HOSTS, {"name": "third", "address": "192.168.50.4"}]})

    with pytest.raises(LabError, match=r"host third \(192\.168\.50\.4\) is new.*run `make up`"):
        update.preview(lab)
    assert not (tools / "arguments").exists()


@pytest.mark.parametrize("command", [update.up, update.preview])
def test_commands_fail_without_a_lab_and_create_nothing(lab, started, monkeypatch, command):
    monkeypatch.setattr(engine, "answers", lambda _: False)

    with pytest.raises(LabError, match="run `make demo`"):
        command(lab)
    assert started == []


def test_a_mistake_in_own_settings_is_reported_before_anything_is_created(lab, monkeypatch):
    (lab.checkout / "demo.yaml").write_text("replicas: 4\n")
    monkeypatch.setattr(mode, "choose", lambda _: pytest.fail("went on"))

    with pytest.raises(LabError, match=r"demo\.yaml: replicas is not a setting"):
        demo.prepare(lab)


def test_own_settings_are_read_each_time(lab, tools, monkeypatch):
    monkeypatch.setattr(mode, "choose", lambda _: lab.mode_file.write_text("online\n"))
    monkeypatch.setattr(demo.packages, "install", lambda: True)
    monkeypatch.setattr(pulumi_cli, "install", lambda: tools)
    monkeypatch.setattr(OnlineLifecycle, "install_plugins", lambda *_: None)
    replicas = []
    for number in (4, 5):
        (lab.checkout / "demo.yaml").write_text(f"file_service: {{replicas: {number}}}\n")
        demo.configure(lab)
        replicas.append(configuration.read(lab)["file_service"])

    assert replicas == [{"replicas": 4}, {"replicas": 5}]


def test_status_has_one_line_for_each_service(tools):
    done = subprocess.run(
        ["sh", "-c", demo._SERVICES],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines() == [
        "  master: Ready, Active Leader",
        "  object-store 1/1: 1 master",
        "  object-store-master 3/3 (max 1 per node): 2 master 1 slave",
    ]


@pytest.mark.usefixtures("started")
def test_a_command_in_the_lab_has_the_environment_of_vagrant_and_pulumi(lab, tools, monkeypatch):
    become = []
    monkeypatch.setattr(pulumi_cli, "install", lambda: tools)
    monkeypatch.setattr(os, "execvpe", lambda *arguments: become.append(arguments))
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "the user's")

    command_line.enter(lab, ["pulumi", "preview"])

    ((program, command, environment),) = become
    assert (program, command) == ("pulumi", ["pulumi", "preview"])
    assert environment["SWARM_HOSTS_FILE"] == environment["PULUMI_OPTION_CONFIG_FILE"] == str(lab.config_file)
    assert environment["PULUMI_STACK"] == "lab"
    assert f":{tools}:" in environment["PATH"]
    assert "PULUMI_ACCESS_TOKEN" not in environment
