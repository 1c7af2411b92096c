"""The stack `lab`: create its passphrase and secrets, clean up after a killed run, and run the Pulumi CLI on it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lab import configuration, interrupted, lifecycle
from lab.packages import LabError
from lab.paths import Lab
from lab.progress import step
from operations import recover
from operations.stack import OperationError

NAME = "lab"
_SECRETS = ("operator_password", "influxdb_writer_password", "influxdb_reader_password", "postgres_password")


def prepare(lab: Lab, tools: Path) -> None:
    """Create the stack, its passphrase and its secrets, unless they exist.

    A killed run leaves a lock, and may leave pending operations. Both are cleaned up. If operations are pending, the
    hosts must be up.

    Raises:
        LabError: a running Pulumi holds the stack, or the CLI failed.
    """
    _state_dir(lab).mkdir(parents=True, exist_ok=True)
    _make_passphrase(_passphrase_file(lab))
    if interrupted.clear_locks(_state_dir(lab) / ".pulumi" / "locks"):
        interrupted.end_orphans(pulumi_home(lab))
        recover.remove_broken_attributes(_state_dir(lab))
    # `stack` commands write the stack's configuration file beside Pulumi.yaml, so they run in a copy.
    with tempfile.TemporaryDirectory() as project:
        shutil.copy(lab.checkout / "Pulumi.yaml", project)
        pulumi(lab, tools, "stack", "select", "--create", NAME, project=Path(project))
    configured = configuration.read(lab)
    for name in _SECRETS:
        if name not in configured:
            # On standard input, since every user of the machine can see a command's arguments.
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
    """Run the Pulumi CLI on the stack, inside the lab's namespace.

    Args:
        lab: The lab that the stack belongs to.
        tools: The folder with the CLI.
        arguments: The command and its options.
        check: Whether a failure raises an error.
        capture: Whether the output is returned instead of shown.
        stdin: The text for its standard input.
        event_log: The file to log events to; only for `preview` and `up`.
        project: The project's folder, if it is not the checkout.

    Raises:
        LabError: it failed, and `check` is true. The message has the output if it was captured.
    """
    command = ["pulumi", "--non-interactive", f"--color={'never' if capture else 'auto'}", *arguments]
    variables = environment(lab, tools)
    if event_log:
        command += ["--event-log", str(event_log)]
        variables["PULUMI_DEBUG_COMMANDS"] = "true"  # without it, the CLI has no such option
    process = subprocess.Popen(
        lifecycle.of(lab).command(command),
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
        # Pulumi got the same Ctrl-C, and is finishing its current operations. `subprocess.run` would kill it.
        process.communicate()
        raise
    done = subprocess.CompletedProcess[str](command, process.returncode, output)
    if check and done.returncode:
        reason = f"failed:\n{done.stdout}" if capture else "failed: see above"
        raise LabError(f"pulumi {' '.join(arguments)} {reason}")
    return done


def environment(lab: Lab, tools: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return Pulumi's environment: the lab's own home, state, passphrase, stack and configuration file.

    The user's own Pulumi variables are not inherited.
    """
    kept = {key: value for key, value in inherited.items() if not key.startswith("PULUMI_")}
    return {
        **kept,
        # The Python language host runs the first python on PATH, which must have the project's packages.
        "PATH": f"{Path(sys.prefix) / 'bin'}:{tools}:{inherited['PATH']}",
        "PULUMI_HOME": str(pulumi_home(lab)),
        "PULUMI_BACKEND_URL": f"file://{_state_dir(lab)}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase_file(lab)),
        "PULUMI_STACK": NAME,
        # Any option of the CLI can be set by such a variable. Commands without the option ignore it.
        "PULUMI_OPTION_CONFIG_FILE": str(lab.config_file),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def pulumi_home(lab: Lab) -> Path:
    """Return the lab's own Pulumi home."""
    return lab.local_dir / "pulumi-home"


def _recover(lab: Lab, tools: Path) -> None:
    """Find out how a killed run's operations ended. Objects that it made but did not record are removed."""
    with tempfile.TemporaryDirectory() as folder:
        # To a file, since standard output may also have warnings.
        state = Path(folder) / "state.json"
        pulumi(lab, tools, "stack", "export", "--file", str(state))
        export = json.loads(state.read_text())
    if not recover.has_pending(export):
        return
    with step("cleaning up after an interrupted run"):
        try:
            recover.end_pending(
                export, partial(pulumi, lab, tools), reaching=lifecycle.of(lab).command, folder=lab.checkout
            )
        except OperationError as error:
            raise LabError(str(error)) from None


def _make_passphrase(file: Path) -> None:
    """Write a random passphrase that only its owner can read. The rename makes it whole or absent."""
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
