"""The lab's command line, `python -m lab COMMAND`. The Makefile has a target for most commands."""

import argparse
import os
import sys
from pathlib import Path

from lab import demo, engine_29, lifecycle, metrics, packages, pulumi_cli, record, stack, update, vagrant
from lab.packages import LabError
from lab.paths import Lab
from lab.vm import trial
from tools import checks

ROOT = Path(__file__).parent.parent
DEMO = Lab(name="demo", checkout=ROOT)
TEST = Lab(name="test", checkout=ROOT)
RECORD = Lab(name="record", checkout=ROOT)
VM = Lab(name="vm", checkout=ROOT, virtual=True)
_END_TO_END = "tests/end_to_end"
_LONG = {"test-day-two": f"{_END_TO_END}/day_two", "test-faults": f"{_END_TO_END}/faults"}
_DEMO_COMMANDS = {"demo": demo.run, "preview": update.preview, "up": update.up, "status": demo.status}


def main() -> int:
    """Run one command, and print an expected failure as one clear message."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("demo", "start the cluster, transfer a file, show the metrics and draw them"),
        ("preview", "show what `up` would change with the current settings"),
        ("up", "apply the current settings to the demo's cluster"),
        ("status", "show what runs where, and how to reach it"),
        ("metrics", "show the eight metrics of every host and service, from both InfluxDBs"),
        ("report", "draw the metrics of the last half hour as a page with eight panels"),
        ("test", "run all checks and tests, except those of the next three"),
        (
            "test-day-two",
            "run the long tests of operation: backups, drift, alerts, other hosts and Engines, a registry, a bucket",
        ),
        ("test-faults", "run the long tests of faults: networks break, hosts are maintained and lost for good"),
        ("test-vm", "run the tests of what only virtual machines show, on two of them; slow"),
        ("destroy", "remove everything that the labs have made"),
        ("shell", "open a shell that can reach the demo's hosts"),
    ):
        commands.add_parser(name, help=text)
    execute = commands.add_parser("exec", help="run one command that can reach the demo's hosts")
    execute.add_argument("arguments", nargs=argparse.REMAINDER)
    recording = commands.add_parser("record", help="record how the real provider plugins behave with this program")
    recording.add_argument("file", type=Path)
    chosen = parser.parse_args()
    try:
        return _run(chosen)
    except LabError as error:
        print(f"\nlab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nlab: interrupted: run the same command again to continue", file=sys.stderr)
        return 130


def _run(chosen: argparse.Namespace) -> int:
    match chosen.command:
        case "demo" | "preview" | "up" | "status":
            _DEMO_COMMANDS[chosen.command](DEMO)
        case "metrics":
            demo.require(DEMO)
            print(metrics.table(DEMO), end="")
        case "report":
            demo.require(DEMO)
            print(metrics.draw(DEMO))
        case "destroy":
            demo.destroy(DEMO, TEST, RECORD, VM)
        case "test" | "test-day-two" | "test-faults" | "test-vm":
            return 0 if checks.run(_stages(chosen.command)) else 1
        case "record":
            record.record(RECORD, chosen.file)
        case "shell":
            enter(DEMO, [os.environ.get("SHELL", "/bin/sh")])
        case "exec":
            enter(DEMO, chosen.arguments[chosen.arguments[:1] == ["--"] :])
    return 0


def _stages(command: str) -> list[checks.Stage]:
    """Return the stages of a command that tests."""
    if command == "test":
        options = [_END_TO_END, *(f"--ignore={folder}" for folder in _LONG.values())]
        return checks.test_stages(lambda: demo.test(TEST, *options))
    if command == "test-vm":
        return checks.lab_stages("vm", lambda: trial.run(VM), packages.VM)
    folder = _LONG[command]
    name, tests = Path(folder).name, lambda: demo.test(TEST, folder)
    if command != "test-day-two":
        return checks.lab_stages(name, tests)
    installing, testing = checks.lab_stages(name, tests, packages.LAB | packages.RUNC)
    # The tests cannot build it: where they run, no package registry can be reached.
    return [installing, checks.Stage("engine 29", lambda: engine_29.build().is_dir()), testing]


def enter(lab: Lab, arguments: list[str]) -> None:
    """Replace this process with the command, run in the lab's network namespace.

    `pulumi` is then the lab's own, and works on the lab's stack.

    Raises:
        LabError: the lab is not up, no command was given, or it cannot be run.
    """
    if not arguments:
        raise LabError("no command given: use lab/exec COMMAND…")
    if not lifecycle.of(lab).is_running():
        raise LabError("the lab is not up: run `make demo`")
    command = lifecycle.of(lab).command(arguments)
    environment = stack.environment(lab, pulumi_cli.install(), vagrant.environment(lab, lifecycle.of(lab)))
    try:
        # `execvpe` looks the command up in this environment's PATH. The user's own has no `pulumi`.
        os.execvpe(command[0], command, environment)  # noqa: S606 - the user chose this command
    except OSError as error:
        raise LabError(f"cannot run {arguments[0]}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
