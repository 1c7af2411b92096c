"""What follows a changed setting: `make preview` shows what it would change, `make up` changes it."""

import tempfile
from pathlib import Path

from components.ssh import knows_host
from lab import changes, demo, engine, stack
from lab.packages import LabError
from lab.paths import Lab
from lab.progress import step


def up(lab: Lab) -> None:
    """Bring a lab that is up to what the settings say now.

    Raises:
        LabError: the lab is not up, a setting cannot be used, or not all of it could be done.
    """
    demo.require(lab)
    with engine.exclusive(lab):
        tools = demo.prepare(lab)
        with step("pulumi up"):
            counts = _counted(lab, tools, "up", "--yes", "--skip-preview")
    print(f"\n{changes.done(counts)}")


def preview(lab: Lab) -> None:
    """Show what `up` would change, and change nothing of the cluster.

    Raises:
        LabError: as `up`; also a host is new, since a preview starts none.
    """
    demo.require(lab)
    with engine.exclusive(lab):
        tools = demo.configure(lab)
        for name, address in demo.addresses(lab).items():
            if not knows_host(lab.ssh_dir / "known_hosts", address):
                raise LabError(f"host {name} ({address}) is new, and a preview starts no host: run `make up`")
        stack.prepare(lab, tools)
        with step("pulumi preview"):
            counts = _counted(lab, tools, "preview")
    print(f"\n{changes.planned(counts)}")


def _counted(lab: Lab, tools: Path, *arguments: str) -> dict[str, int]:
    """Run this command with its diff shown, and return how often each operation was done, or would be."""
    with tempfile.TemporaryDirectory() as folder:
        event_log = Path(folder) / "events"
        stack.pulumi(lab, tools, *arguments, "--diff", capture=False, event_log=event_log)
        return changes.count(event_log)
