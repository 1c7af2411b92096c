"""The lab's stack: its configuration file, its secrets, and the environment that Pulumi runs in."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab import namespace, stack
from lab.packages import LabError
from lab.paths import Lab

ROOT = Path(stack.__file__).parent.parent
DEV = {"config": {"swarm-transfer:hosts": [{"name": "master"}], "swarm-transfer:file_service": {"replicas": 3}}}
LAB = {"config": {"swarm-transfer:edge_port": 5001}}
IMAGES = {"haproxy": "192.168.50.1:5000/lab/haproxy:1@sha256:0"}
PASSWORD = "swarm-transfer:operator_password"

# Notes what it is told; what `stack export` writes, and the status of `up`, are the test's to choose.
PULUMI = """#!/bin/sh
printf '%s\\n' "$*" >> "$FAKE/arguments"
case "$*" in
  *"config set"*) cat > "$FAKE/told" ;;
  *"stack export"*) cp "$FAKE/state.json" "$6" ;;
  *refresh*) ;;
  *up*) echo "it went wrong"; exit 3 ;;
  *watch*)
    trap 'trap "" INT; sleep 1; : > "$FAKE/end"; exit 0' INT
    echo started
    while :; do sleep 0.1; done ;;
esac
"""


@pytest.fixture
def lab(tmp_path):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "Pulumi.yaml").write_text("name: swarm-transfer\nruntime: python\n")
    (checkout / "Pulumi.dev.yaml").write_text(yaml.safe_dump(DEV))
    (checkout / "Pulumi.lab.yaml").write_text(yaml.safe_dump(LAB))
    return Lab(name="test", checkout=checkout)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "pulumi").write_text(PULUMI)
    (folder / "pulumi").chmod(0o755)
    (folder / "state.json").write_text(json.dumps({"deployment": {}}))
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setattr(namespace, "command", lambda _, arguments: list(arguments))
    return folder


def _config(lab):
    return yaml.safe_load(lab.config_file.read_text())


def _arguments(tools):
    return (tools / "arguments").read_text().splitlines()


def test_a_later_layer_s_values_win():
    composed = stack.compose({"config": {"a": {"x": 1, "y": 2}, "b": [1, 2]}}, {"config": {"a": {"x": 3}, "b": [4]}})

    assert composed == {"config": {"a": {"x": 3, "y": 2}, "b": [4]}}


def test_an_online_lab_has_nothing_of_what_an_offline_one_needs(lab):
    lab.local_dir.mkdir(parents=True)
    lab.mode_file.write_text("online\n")

    stack.write_config(lab, {})

    assert not LAB["config"].keys() & _config(lab)["config"].keys()


def test_what_is_beside_the_settings_is_kept():
    assert stack.compose({"encryptionsalt": "v1"}, {}, {"config": {}}) == {"encryptionsalt": "v1", "config": {}}


def test_composing_leaves_the_layers_as_they_were():
    first = {"config": {"a": 1}}

    stack.compose(first, {"config": {"a": 2}})

    assert first == {"config": {"a": 1}}


def test_the_file_has_both_committed_ones_and_this_machine_s_values(lab):
    stack.write_config(lab, IMAGES)

    assert _config(lab)["config"] == {
        **DEV["config"],
        **LAB["config"],
        "swarm-transfer:images": IMAGES,
        "swarm-transfer:ssh": {
            "user": "vagrant",
            "private_key_file": str(lab.ssh_dir / "id_ed25519"),
            "known_hosts_file": str(lab.ssh_dir / "known_hosts"),
        },
    }


def test_a_value_changed_in_the_file_does_not_last(lab):
    stack.write_config(lab, IMAGES)
    changed = _config(lab)
    changed["config"]["swarm-transfer:file_service"] = {"replicas": 5}
    lab.config_file.write_text(yaml.safe_dump(changed))

    stack.write_config(lab, IMAGES)

    assert _config(lab)["config"]["swarm-transfer:file_service"] == {"replicas": 3}


def test_secrets_and_what_decrypts_them_survive_a_new_composition(lab):
    stack.write_config(lab, IMAGES)
    known = _config(lab)
    known["encryptionsalt"] = "v1:salt"
    known["config"][PASSWORD] = {"secure": "v1:secret"}
    lab.config_file.write_text(yaml.safe_dump(known))

    stack.write_config(lab, IMAGES)

    assert _config(lab)["encryptionsalt"] == "v1:salt"
    assert _config(lab)["config"][PASSWORD] == {"secure": "v1:secret"}


def test_nothing_is_written_beside_the_committed_files(lab):
    before = sorted(path.name for path in lab.checkout.iterdir())

    stack.write_config(lab, IMAGES)

    assert sorted(path.name for path in lab.checkout.iterdir()) == [".local", *before]


def test_a_secret_is_set_once_and_is_on_nobody_s_command_line(lab, tools):
    stack.write_config(lab, IMAGES)

    stack.prepare(lab, tools)
    secret = (tools / "told").read_text()

    assert len(secret) == 24
    assert any(f"config set --secret {PASSWORD} --stack lab --config-file" in line for line in _arguments(tools))
    assert not any(secret in line for line in _arguments(tools))


def test_a_secret_that_is_there_is_left(lab, tools):
    stack.write_config(lab, IMAGES)
    known = _config(lab)
    known["config"] |= {f"swarm-transfer:{name}": {"secure": "v1:secret"} for name in stack._SECRETS}
    lab.config_file.write_text(yaml.safe_dump(known))

    stack.prepare(lab, tools)

    assert not any("config set" in line for line in _arguments(tools))


def test_the_passphrase_is_made_once_and_only_its_owner_reads_it(lab, tools):
    stack.write_config(lab, IMAGES)
    stack.prepare(lab, tools)
    file = Path(stack.environment(lab, tools)["PULUMI_CONFIG_PASSPHRASE_FILE"])
    passphrase = file.read_text()
    stack.prepare(lab, tools)

    assert len(passphrase) == 32
    assert file.read_text() == passphrase
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_clean_state_is_not_refreshed(lab, tools):
    stack.prepare(lab, tools)

    assert not any("refresh" in line for line in _arguments(tools))


def test_after_a_killed_run_what_it_made_is_removed_and_the_state_is_refreshed(lab, tools):
    provider = {"urn": "p", "id": "1", "type": "pulumi:providers:docker", "inputs": {"host": "ssh://u@192.0.2.1"}}
    service = {"type": "docker:index/service:Service", "inputs": {"name": "files"}, "provider": "p::1"}
    pending = [{"type": "creating", "resource": service}]
    state = {"deployment": {"resources": [provider], "pending_operations": pending}}
    (tools / "state.json").write_text(json.dumps(state))
    ssh = tools / "ssh"
    ssh.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$FAKE/ssh-arguments"\nexit 1\n')
    ssh.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        stack.prepare(lab, tools)

    assert (tools / "ssh-arguments").read_text().endswith("u@192.0.2.1 docker service rm files\n")
    assert any("refresh --yes --skip-preview --clear-pending-creates --stack lab" in line for line in _arguments(tools))


def test_a_failure_says_what_was_run_and_what_came_of_it(lab, tools):
    with pytest.raises(LabError, match=r"(?s)pulumi up --yes failed:.*it went wrong"):
        stack.pulumi(lab, tools, "up", "--yes")


def test_a_failure_that_is_expected_is_returned(lab, tools):
    assert stack.pulumi(lab, tools, "up", check=False).returncode == 3


def test_ctrl_c_lets_pulumi_end_in_order(lab, tools):
    script = f"""
import signal
from pathlib import Path
from lab import namespace, stack
from lab.paths import Lab
signal.signal(signal.SIGINT, signal.default_int_handler)
namespace.command = lambda _, arguments: list(arguments)
try:
    stack.pulumi(Lab(name="test", checkout=Path({str(lab.checkout)!r})), Path({str(tools)!r}), "watch", capture=False)
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    started = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    assert started == "started\n"
    assert said == "interrupted\n"
    assert (tools / "end").exists()


def test_the_environment_is_the_lab_s_own(lab, tools, monkeypatch):
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "the user's")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "the user's")

    environment = stack.environment(lab, tools)

    assert "the user's" not in environment.values()
    assert environment["PULUMI_HOME"] == str(lab.local_dir / "pulumi-home")
    assert environment["PULUMI_BACKEND_URL"] == f"file://{lab.local_dir}/state"
    assert environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_the_python_that_pulumi_finds_is_ours_even_where_its_folder_has_another(lab, tools):
    (tools / "python3").write_text("#!/bin/sh\necho other\n")
    (tools / "python3").chmod(0o755)

    path = stack.environment(lab, tools)["PATH"]
    found = subprocess.run(
        ["/bin/sh", "-c", "command -v python3"], env={"PATH": path}, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == str(Path(sys.prefix) / "bin" / "python3")
