"""The lab's stack: its secrets, and the environment that Pulumi runs in."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab import configuration, namespace, stack
from lab.packages import LabError
from lab.paths import Lab

ROOT = Path(stack.__file__).parent.parent
PASSWORD = "swarm-transfer:operator_password"

# Records its arguments. The test chooses what `stack export` writes, and the status of `up`.
PULUMI = """#!/bin/sh
printf '%s\\n' "$*" >> "$FAKE/arguments"
printf '%s %s %s\\n' "$PULUMI_STACK" "$PULUMI_OPTION_CONFIG_FILE" "$PULUMI_DEBUG_COMMANDS" >> "$FAKE/environment"
case "$*" in
  *"config set"*) cat > "$FAKE/stdin" ;;
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
    (checkout / "Pulumi.lab.yaml").write_text("config:\n  swarm-transfer:edge_port: 5001\n")
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


def test_a_secret_is_set_once_and_never_in_a_command_line(lab, tools):
    configuration.write(lab, {}, {})

    stack.prepare(lab, tools)
    secret = (tools / "stdin").read_text()

    assert len(secret) == 24
    assert any(f"config set --secret {PASSWORD}" in line for line in _arguments(tools))
    assert not any(secret in line for line in _arguments(tools))


def test_an_existing_secret_is_kept(lab, tools):
    configuration.write(lab, {}, {})
    known = _config(lab)
    known["config"] |= {f"swarm-transfer:{name}": {"secure": "v1:secret"} for name in stack._SECRETS}
    lab.config_file.write_text(yaml.safe_dump(known))

    stack.prepare(lab, tools)

    assert not any("config set" in line for line in _arguments(tools))


def test_the_passphrase_is_made_once_and_only_its_owner_can_read_it(lab, tools):
    configuration.write(lab, {}, {})
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


def test_after_a_killed_run_unrecorded_objects_are_removed_and_the_state_is_refreshed(lab, tools):
    provider = {"urn": "p", "id": "1", "type": "pulumi:providers:docker", "inputs": {"host": "ssh://u@192.0.2.1"}}
    service = {"type": "docker:index/service:Service", "inputs": {"name": "files"}, "provider": "p::1"}
    pending = [{"type": "creating", "resource": service}]
    state = {"deployment": {"resources": [provider], "pending_operations": pending}}
    (tools / "state.json").write_text(json.dumps(state))
    ssh = tools / "ssh"
    ssh.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$*" >> "$FAKE/ssh-arguments"\necho "Error: No such service: files" >&2\nexit 1\n'
    )
    ssh.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}:/usr/bin:/bin")
        stack.prepare(lab, tools)

    assert (tools / "ssh-arguments").read_text().endswith("u@192.0.2.1 docker service rm files\n")
    assert any("refresh --yes --skip-preview --clear-pending-creates" in line for line in _arguments(tools))


def test_a_failure_has_the_command_and_its_output(lab, tools):
    with pytest.raises(LabError, match=r"(?s)pulumi up --yes failed:.*it went wrong"):
        stack.pulumi(lab, tools, "up", "--yes")


def test_a_failure_is_returned_if_it_is_not_checked(lab, tools):
    assert stack.pulumi(lab, tools, "up", check=False).returncode == 3


def test_a_failure_whose_output_was_shown_is_one_line(lab, tools):
    with pytest.raises(LabError, match=r"\Apulumi up --yes failed: see above\Z"):
        stack.pulumi(lab, tools, "up", "--yes", capture=False)


def test_every_command_uses_the_stack_and_configuration_file_of_the_lab(lab, tools):
    stack.pulumi(lab, tools, "preview")

    assert (tools / "environment").read_text() == f"lab {lab.config_file} \n"


def test_an_event_log_is_written_on_request(lab, tools):
    stack.pulumi(lab, tools, "preview", event_log=tools / "events")

    assert _arguments(tools) == [f"--non-interactive --color=never preview --event-log {tools}/events"]
    assert (tools / "environment").read_text().endswith(" true\n")


def test_ctrl_c_lets_pulumi_finish_its_operations(lab, tools):
    script = f"""
import signal
from pathlib import Path
from lab import configuration, namespace, stack
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


def test_the_environment_belongs_to_the_lab(lab, tools, monkeypatch):
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "the user's")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "the user's")

    environment = stack.environment(lab, tools)

    assert "the user's" not in environment.values()
    assert environment["PULUMI_HOME"] == str(lab.local_dir / "pulumi-home")
    assert environment["PULUMI_BACKEND_URL"] == f"file://{lab.local_dir}/state"
    assert environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_other_commands_can_get_the_environment_of_the_lab(lab, tools):
    inherited = {"PATH": "/usr/bin", "SWARM_LOCAL": "/there", "PULUMI_STACK": "the user's"}

    environment = stack.environment(lab, tools, inherited)

    assert environment["SWARM_LOCAL"] == "/there"
    assert environment["PULUMI_STACK"] == "lab"
    assert environment["PATH"].endswith(f":{tools}:/usr/bin")


def test_pulumi_finds_our_python_even_if_its_own_folder_has_another(lab, tools):
    (tools / "python3").write_text("#!/bin/sh\necho other\n")
    (tools / "python3").chmod(0o755)

    path = stack.environment(lab, tools)["PATH"]
    found = subprocess.run(
        ["/bin/sh", "-c", "command -v python3"], env={"PATH": path}, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == str(Path(sys.prefix) / "bin" / "python3")
