"""After a killed run, the lock goes, and so do objects that it made and did not record. Then the state is refreshed."""

import json
import subprocess

import pytest

from operations import recover
from operations.stack import OperationError

PROVIDER = "urn:pulumi:lab::swarm-transfer::swarm:host:Host$pulumi:providers:docker::master-engine"
SSH = ["-i", "/keys/id", "-o", "StrictHostKeyChecking=yes"]
SSH_AS_TEXT = json.dumps(SSH)


def _export(*operations, resources=(), ssh_opts=SSH_AS_TEXT):
    provider = {
        "urn": PROVIDER,
        "id": "7",
        "type": "pulumi:providers:docker",
        "inputs": {"host": "ssh://vagrant@192.168.50.2", "sshOpts": ssh_opts},
    }
    return {"deployment": {"resources": [provider, *resources], "pending_operations": list(operations)}}


def _operation(kind="creating", token="docker:index/service:Service", **inputs):
    return {"type": kind, "resource": {"urn": "of it", "type": token, "inputs": inputs, "provider": f"{PROVIDER}::7"}}


@pytest.mark.parametrize("ssh_opts", [SSH_AS_TEXT, SSH])
def test_the_object_of_a_pending_create_is_removed_by_the_connection_of_its_provider(ssh_opts):
    (left,) = recover.unrecorded(_export(_operation(name="files"), ssh_opts=ssh_opts))

    assert left == recover.Unrecorded("service", "files", (*SSH, "vagrant@192.168.50.2"))
    assert left.removal[0] == "ssh"
    assert left.removal[-2:] == ["vagrant@192.168.50.2", "docker service rm files"]


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("docker:index/network:Network", "network"),
        ("docker:index/serviceConfig:ServiceConfig", "config"),
        ("docker:index/secret:Secret", "secret"),
    ],
)
def test_networks_configs_and_secrets_are_removed_too(token, kind):
    (left,) = recover.unrecorded(_export(_operation(token=token, name="x")))

    assert left.removal[-1] == f"docker {kind} rm x"


def test_a_volume_is_kept_since_it_may_have_files():
    assert not recover.unrecorded(_export(_operation(token="docker:index/volume:Volume", name="files")))


def test_an_object_that_the_state_has_under_the_same_name_is_kept():
    recorded = {"urn": "u", "type": "docker:index/service:Service", "outputs": {"name": "files"}}

    assert not recover.unrecorded(_export(_operation(name="files"), resources=[recorded]))


@pytest.mark.parametrize("kind", ["updating", "deleting"])
def test_pending_updates_and_deletes_are_left_to_a_refresh(kind):
    export = _export(_operation(kind, name="files"))

    assert recover.has_pending(export)
    assert not recover.unrecorded(export)


def test_an_object_with_a_secret_or_unknown_name_is_left_alone():
    assert not recover.unrecorded(_export(_operation(name={"4dabf18193072939515e22adb298388d": "..."})))
    assert not recover.unrecorded(_export(_operation()))


def test_a_new_state_has_no_pending_operations():
    assert not recover.has_pending({"deployment": {}})
    assert recover.unrecorded({"deployment": {}}) == []


def test_a_name_is_quoted_for_the_remote_shell():
    left = recover.Unrecorded("config", "a; reboot", ("host",))

    assert left.removal[-1] == "docker config rm 'a; reboot'"


@pytest.fixture
def pulumi(monkeypatch, tmp_path):
    """Records what Pulumi is called with. Its state has the pending operations that are appended to `pending`."""
    calls, pending, imported = [], [], []
    (tmp_path / ".pulumi").mkdir()

    def run(*arguments, stdin=""):
        calls.append(arguments[0])
        imported.append(stdin)
        if arguments[0] == "whoami":
            return json.dumps({"user": "me", "url": f"file://{tmp_path}"})
        return json.dumps(_export(*pending)) if arguments[:2] == ("stack", "export") else ""

    monkeypatch.setattr(recover, "pulumi", run)
    return calls, pending, imported


@pytest.fixture
def ssh(monkeypatch):
    """A function that sets the status with which every ssh ends, and returns the list of what was run."""
    ran = []

    def ends(status, said="no route to host"):
        def run(command, **_):
            ran.append(command[-1])
            return subprocess.CompletedProcess(command, status, "", said)

        monkeypatch.setattr(recover.subprocess, "run", run)
        return ran

    return ends


def test_without_yes_nothing_is_done(pulumi):
    calls, _, _ = pulumi

    with pytest.raises(OperationError, match="add --yes"):
        recover._run(agreed=False)

    assert calls == []


def test_without_pending_operations_the_state_is_refreshed_all_the_same(pulumi):
    """An earlier run may have forgotten them before its refresh failed."""
    calls, _, _ = pulumi

    recover._run(agreed=True)

    assert calls == ["whoami", "cancel", "stack", "refresh"]


def test_the_commands_for_join_tokens_run_again():
    def command(name):
        return {**COMMAND, "urn": f"urn:pulumi:lab::swarm-transfer::command:local:Command::{name}"}

    names = ("slave-token", "swarm-join-tokens", "slave-membership")
    export = _export(resources=[command(name) for name in names])

    again = recover.join_tokens(export)

    assert again == {command("slave-token")["urn"], command("swarm-join-tokens")["urn"]}
    changed = recover.with_unknown_creates(export, again)["deployment"]["resources"]
    assert [resource["inputs"]["create"] == "x" for resource in changed if resource["type"] == COMMAND["type"]] == [
        False,
        False,
        True,
    ]


def test_an_object_that_cannot_be_removed_is_named_and_the_pending_create_is_kept(pulumi, ssh):
    calls, pending, _ = pulumi
    pending.append(_operation(name="files"))
    ssh(1, "network has active endpoints")

    with pytest.raises(OperationError, match="has active endpoints"):
        recover._run(agreed=True)

    assert "refresh" not in calls


@pytest.mark.parametrize("status", [0, 1])
def test_objects_of_pending_creates_are_removed_if_they_exist_and_then_the_state_is_refreshed(pulumi, ssh, status):
    calls, pending, _ = pulumi
    pending.append(_operation(name="files"))
    ran = ssh(status, "Error: No such service: files")

    recover._run(agreed=True)

    assert ran == ["docker service rm files"]
    assert calls == ["whoami", "cancel", "stack", "refresh"]


def test_a_host_that_cannot_be_reached_is_named_and_the_pending_create_is_kept(pulumi, ssh):
    calls, pending, _ = pulumi
    pending.append(_operation(name="files"))
    ssh(255)

    with pytest.raises(OperationError, match=r"vagrant@192\.168\.50\.2: no route to host: make it reachable"):
        recover._run(agreed=True)

    assert "refresh" not in calls


@pytest.mark.usefixtures("pulumi")
def test_attributes_that_were_being_written_are_removed_and_all_else_is_kept(tmp_path):
    stacks = tmp_path / ".pulumi" / "stacks" / "swarm-transfer"
    stacks.mkdir(parents=True)
    whole, broken, state = stacks / "lab.json.bak.attrs", stacks / "lab.json.attrs", stacks / "lab.json"
    whole.write_text('{"user.content_type": "text/plain"}')
    broken.touch()
    state.write_text("{}")

    recover._run(agreed=True)

    assert sorted(stacks.iterdir()) == sorted([state, whole])


def test_another_backend_than_a_local_one_is_left_alone(monkeypatch):
    def run(*arguments):
        return json.dumps({"url": "s3://bucket"} if arguments[0] == "whoami" else _export())

    monkeypatch.setattr(recover, "pulumi", run)
    monkeypatch.setattr(recover, "remove_broken_attributes", lambda _: pytest.fail("it is not local"))

    recover._run(agreed=True)


COMMAND = {"urn": "u", "type": "command:local:Command", "inputs": {"create": "x"}, "outputs": {"create": "x"}}


def test_a_command_whose_delete_is_pending_is_kept_and_created_again_by_the_next_up():
    other = {**COMMAND, "urn": "other"}
    export = _export({"type": "deleting", "resource": COMMAND}, resources=[COMMAND, other])

    changed = recover.with_unknown_creates(export, recover.half_deleted(export))["deployment"]

    assert changed["resources"][2] == other
    assert changed["resources"][1]["inputs"]["create"] == changed["resources"][1]["outputs"]["create"] != "x"
    assert changed["pending_operations"] == export["deployment"]["pending_operations"]


def test_the_state_is_imported_before_the_refresh_forgets_what_is_pending(pulumi):
    calls, pending, imported = pulumi
    pending.append({"type": "deleting", "resource": COMMAND})

    recover._run(agreed=True)

    assert calls == ["whoami", "cancel", "stack", "stack", "refresh"]
    assert json.loads(imported[3])["deployment"]["pending_operations"]


def test_other_pending_operations_change_nothing_in_the_state():
    export = _export(
        {"type": "updating", "resource": COMMAND}, _operation("deleting", name="files"), resources=[COMMAND]
    )

    assert recover.half_deleted(export) == set()
    assert recover.with_unknown_creates(export, set()) == export
