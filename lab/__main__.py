"""The lab's command line: `python -m lab COMMAND`; the Makefile has a short name for each."""

import argparse
import os
import sys
from pathlib import Path

from lab import demo, engine, hosts, metrics, namespace, pulumi_cli, record, stack, update
from lab.packages import LabError
from lab.paths import Lab
from tools import checks

ROOT = Path(__file__).parent.parent
DEMO = Lab(name="demo", checkout=ROOT)
TEST = Lab(name="test", checkout=ROOT)
RECORD = Lab(name="record", checkout=ROOT)
_OF_THE_DEMO = {"demo": demo.run, "preview": update.preview, "up": update.up, "status": demo.status}


def main() -> int:
    """Run one command; an expected failure is one clear message."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("demo", "bring the cluster up, send a file across, show its metrics, report"),
        ("preview", "show what `up` would change, by the settings as they are now"),
        ("up", "bring the demo's cluster to what the settings say now"),
        ("status", "say what runs where, and how to reach it"),
        ("metrics", "the eight metrics of every host and service, from both InfluxDBs"),
        ("report", "draw the eight panels of the last half hour into one page"),
        ("test", "all checks and tests"),
        ("destroy", "take away all that demo and test have made"),
        ("shell", "a shell where the demo's hosts can be reached"),
    ):
        commands.add_parser(name, help=text)
    execute = commands.add_parser("exec", help="run one command where the demo's hosts can be reached")
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
        print("\nlab: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _run(chosen: argparse.Namespace) -> int:
    match chosen.command:
        case "demo" | "preview" | "up" | "status":
            _OF_THE_DEMO[chosen.command](DEMO)
        case "metrics":
            demo.require(DEMO)
            print(metrics.table(DEMO), end="")
        case "report":
            demo.require(DEMO)
            print(metrics.draw(DEMO))
        case "destroy":
            demo.destroy(DEMO, TEST, RECORD)
        case "test":
            return 0 if checks.run(checks.test_stages(lambda: demo.test(TEST))) else 1
        case "record":
            record.record(RECORD, chosen.file)
        case "shell":
            enter(DEMO, [os.environ.get("SHELL", "/bin/sh")])
        case "exec":
            enter(DEMO, chosen.arguments[chosen.arguments[:1] == ["--"] :])
    return 0


def enter(lab: Lab, arguments: list[str]) -> None:
    """Become the command, inside the lab's network namespace; `pulumi` is the lab's, on its stack.

    Raises:
        LabError: the lab is not up, or there is no command.
    """
    if not arguments:
        raise LabError("no command: lab/exec COMMAND…")
    if not engine.answers(lab):
        raise LabError("the lab is not up: run `make demo`")
    command = namespace.command(lab, arguments)
    environment = stack.environment(lab, pulumi_cli.install(), hosts.environment(lab))
    try:
        # With this environment's PATH: `pulumi` is not on the user's.
        os.execvpe(command[0], command, environment)  # noqa: S606 - a shell is what the user asked for, at most
    except OSError as error:
        raise LabError(f"cannot run {arguments[0]}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
