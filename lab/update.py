"""Apply changed settings to the demo: `make preview` shows what would change, and `make up` changes it."""

import tempfile
from pathlib import Path

from components.ssh import knows_host
from lab import changes, demo, engine, stack
from lab.packages import LabError
from lab.paths import Lab
from lab.progress import step


def up(lab: Lab) -> None:
    """Apply the current settings to a running lab.

    Raises:
        LabError: the lab is not up, a setting is wrong, or a change failed.
    """
    demo.require(lab)
    with engine.exclusive(lab):
        tools = demo.prepare(lab)
        with step("pulumi up"):
            counts = _counted(lab, tools, "up", "--yes", "--skip-preview")
    print(f"\n{changes.done(counts)}")


def preview(lab: Lab) -> None:
    """Show what `up` would change, without changing the cluster.

    Raises:
        LabError: as for `up`, or a host is new: a preview starts no hosts.
    """
    demo.require(lab)
    with engine.exclusive(lab):
        tools = demo.configure(lab)
        for name, address in demo.addresses(lab).items():
            if not knows_host(lab.ssh_dir / "known_hosts", address):
                raise LabError(f"host {name} ({address}) is new, and a preview starts no hosts: run `make up`")
        stack.prepare(lab, tools)
        with step("pulumi preview"):
            counts = _counted(lab, tools, "preview")
    print(f"\n{changes.planned(counts)}")


def _counted(lab: Lab, tools: Path, *arguments: str) -> dict[str, int]:
    """Run this command, show its diff, and return the counts of `changes.count`."""
    with tempfile.TemporaryDirectory() as folder:
        event_log = Path(folder) / "events"
        stack.pulumi(lab, tools, *arguments, "--diff", capture=False, event_log=event_log)
        return changes.count(event_log)
