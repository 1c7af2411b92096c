"""The stack `lab`: its passphrase and secrets, what a killed run has left, and the Pulumi CLI that works on it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab import configuration, interrupted, namespace
from lab.packages import LabError
from lab.paths import Lab
from lab.progress import step

NAME = "lab"
_SECRETS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "storage_key")


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
    configured = configuration.read(lab)
    for name in _SECRETS:
        if name not in configured:
            # By standard input: arguments are for everybody on the machine to see.
            pulumi(lab, tools, "config", "set", "--secret", configuration.key(name), stdin=secrets.token_urlsafe(18))
    _recover(lab, tools)


def pulumi(
    lab: Lab,
    tools: Path,
    *arguments: str,
    check: bool = True,
    capture: bool = True,
    stdin: str | None = None,
    event_log: Path | None = None,
    project: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the Pulumi CLI on the stack, where the hosts can be reached.

    Args:
        lab: Whose stack it is.
        tools: The folder with the CLI.
        arguments: The command and its options.
        check: Whether a failure is an error.
        capture: Whether the output is returned instead of shown.
        stdin: The text of its standard input.
        event_log: The file that it logs its events to; only `preview` and `up` can.
        project: The project's folder, if it is not the checkout.

    Raises:
        LabError: it failed, and `check` is true; with its output if that was captured.
    """
    command = ["pulumi", "--non-interactive", f"--color={'never' if capture else 'auto'}", *arguments]
    variables = environment(lab, tools)
    if event_log:
        command += ["--event-log", str(event_log)]
        variables["PULUMI_DEBUG_COMMANDS"] = "true"  # or the CLI has no such option
    process = subprocess.Popen(
        namespace.command(lab, command),
        cwd=project or lab.checkout,
        env=variables,
        stdin=None if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture else None,
        text=True,
    )
    try:
        output, _ = process.communicate(stdin)
    except KeyboardInterrupt:
        # Pulumi has got the same Ctrl-C and ends what it has begun; `subprocess.run` would kill it meanwhile.
        process.communicate()
        raise
    done = subprocess.CompletedProcess[str](command, process.returncode, output)
    if check and done.returncode:
        said = f"failed:\n{done.stdout}" if capture else "failed: see above"
        raise LabError(f"pulumi {' '.join(arguments)} {said}")
    return done


def environment(lab: Lab, tools: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Pulumi's environment: the lab's own home, state, passphrase, stack and configuration file.

    Nothing of the user's own Pulumi is inherited.
    """
    kept = {key: value for key, value in inherited.items() if not key.startswith("PULUMI_")}
    return {
        **kept,
        # The Python language host takes the first python, and that must be the one with the project's packages.
        "PATH": f"{Path(sys.prefix) / 'bin'}:{tools}:{inherited['PATH']}",
        "PULUMI_HOME": str(pulumi_home(lab)),
        "PULUMI_BACKEND_URL": f"file://{_state_dir(lab)}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase_file(lab)),
        "PULUMI_STACK": NAME,
        # The CLI takes any of its options like this; a command that has no such option ignores it.
        "PULUMI_OPTION_CONFIG_FILE": str(lab.config_file),
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
            # The paths of its ssh options are relative to the project.
            subprocess.run(removal, cwd=lab.checkout, stdin=subprocess.DEVNULL, capture_output=True, check=False)
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
