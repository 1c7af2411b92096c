"""The stack `lab`: its configuration, put together for this machine, and the Pulumi CLI that works on it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import interrupted, namespace
from lab.packages import LabError
from lab.paths import Lab
from lab.progress import step

NAME = "lab"
_PROJECT = "swarm-transfer"
_SECRETS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "storage_key")
_WITH_CONFIG = ("config", "destroy", "import", "preview", "refresh", "up")


def compose(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One configuration file out of several: a later layer's values win, and what is not under `config` is kept.

    Of a setting that is a mapping in both, what only the earlier layer has stays.
    """
    composed: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for layer in layers:
        composed |= layer
        for key, value in layer.get("config", {}).items():
            known = config.get(key)
            config[key] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return {**composed, "config": config}


def write_config(lab: Lab, images: Mapping[str, str]) -> None:
    """Write the lab's configuration file: the committed ones, and this machine's values.

    Secrets that are in the file already stay as they are.
    """
    known = _load(lab.config_file)
    kept = {key: value for key, value in known.get("config", {}).items() if key in map(_key, _SECRETS)}
    ours = {
        _key("images"): dict(images),
        _key("ssh"): {
            "user": "vagrant",
            "private_key_file": str(lab.ssh_dir / "id_ed25519"),
            "known_hosts_file": str(lab.ssh_dir / "known_hosts"),
        },
    }
    salt = {key: value for key, value in known.items() if key == "encryptionsalt"}
    offline = {} if lab.is_online else _load(lab.checkout / "Pulumi.lab.yaml")
    composed = compose(_load(lab.checkout / "Pulumi.dev.yaml"), offline, {**salt, "config": {**kept, **ours}})
    lab.config_file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = lab.config_file.with_suffix(".new")
    unfinished.write_text(yaml.safe_dump(composed, sort_keys=False, allow_unicode=True))
    unfinished.rename(lab.config_file)


def prepare(lab: Lab, tools: Path) -> None:
    """Make the stack, its passphrase and its secrets, unless they are there.

    A run that was killed leaves a lock, and perhaps operations of which nobody knows how they ended: both are
    cleared. For the second, the hosts must be up.

    Raises:
        LabError: a Pulumi that is still at work holds the stack, or the CLI failed.
    """
    _state_dir(lab).mkdir(parents=True, exist_ok=True)
    _make_passphrase(_passphrase_file(lab))
    if interrupted.clear_locks(_state_dir(lab) / ".pulumi" / "locks"):
        interrupted.end_orphans(pulumi_home(lab))
    # `stack` commands write the stack's file beside Pulumi.yaml: they get a project of their own to do so.
    with tempfile.TemporaryDirectory() as project:
        shutil.copy(lab.checkout / "Pulumi.yaml", project)
        pulumi(lab, tools, "stack", "select", "--create", NAME, project=Path(project))
    configured = _load(lab.config_file).get("config", {})
    for name in _SECRETS:
        if _key(name) not in configured:
            # By standard input: arguments are for everybody on the machine to see.
            pulumi(lab, tools, "config", "set", "--secret", _key(name), told=secrets.token_urlsafe(18))
    _recover(lab, tools)


def pulumi(
    lab: Lab,
    tools: Path,
    *arguments: str,
    check: bool = True,
    capture: bool = True,
    told: str | None = None,
    project: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the Pulumi CLI on the stack, where the hosts can be reached; `told` is its standard input.

    Raises:
        LabError: it failed, and `check` is true; with its output if that was captured.
    """
    command = ["pulumi", "--non-interactive", "--color=never", *arguments]
    if arguments[0] in _WITH_CONFIG:
        command += ["--stack", NAME, "--config-file", str(lab.config_file)]
    elif arguments[:2] == ("stack", "export"):
        command += ["--stack", NAME]
    process = subprocess.Popen(
        namespace.command(lab, command),
        cwd=project or lab.checkout,
        env=environment(lab, tools),
        stdin=None if told is None else subprocess.PIPE,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture else None,
        text=True,
    )
    try:
        output, _ = process.communicate(told)
    except KeyboardInterrupt:
        # Pulumi has got the same Ctrl-C and ends what it has begun; `subprocess.run` would kill it meanwhile.
        process.communicate()
        raise
    done = subprocess.CompletedProcess[str](command, process.returncode, output)
    if check and done.returncode:
        raise LabError(f"pulumi {' '.join(arguments)} failed:\n{done.stdout or 'see above'}")
    return done


def environment(lab: Lab, tools: Path) -> dict[str, str]:
    """Pulumi's environment: the lab's own home, state and passphrase; nothing of the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    return {
        **kept,
        # The Python language host takes the first python, and that must be the one with the project's packages.
        "PATH": f"{Path(sys.prefix) / 'bin'}:{tools}:{os.environ['PATH']}",
        "PULUMI_HOME": str(pulumi_home(lab)),
        "PULUMI_BACKEND_URL": f"file://{_state_dir(lab)}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase_file(lab)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def pulumi_home(lab: Lab) -> Path:
    """The lab's own Pulumi home."""
    return lab.local_dir / "pulumi-home"


def _recover(lab: Lab, tools: Path) -> None:
    """Find out how the operations of a killed run ended; what it made and did not record is made anew."""
    with tempfile.TemporaryDirectory() as folder:
        # To a file: standard output may carry warnings too.
        state = Path(folder) / "state.json"
        pulumi(lab, tools, "stack", "export", "--file", str(state))
        export = json.loads(state.read_text())
    if not interrupted.has_pending(export):
        return
    with step("what an interrupted run has left"):
        for left in interrupted.unrecorded(export):
            # Where the create had not got that far there is nothing to remove, and the command fails.
            removal = namespace.command(lab, left.removal)
            subprocess.run(removal, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        pulumi(lab, tools, "refresh", "--yes", "--skip-preview", "--clear-pending-creates")


def _make_passphrase(file: Path) -> None:
    """Write a random passphrase that nobody else can read; whole or not at all, since it cannot be made again."""
    if file.exists():
        return
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(secrets.token_urlsafe(24))
    unfinished.rename(file)


def _state_dir(lab: Lab) -> Path:
    return lab.local_dir / "state"


def _passphrase_file(lab: Lab) -> Path:
    return lab.local_dir / "passphrase"


def _key(name: str) -> str:
    return f"{_PROJECT}:{name}"


def _load(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
