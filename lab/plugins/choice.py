"""Choose the plugin that the lab runs: the real one if it is installed, otherwise the stand-in."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VERSIONS = {"docker": "5.2.0", "command": "1.2.1"}
"""Versions of the real plugins. `requirements/program.in` pins the same ones."""

_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Plugin:
    """A plugin to run. `program` is the real plugin's executable, or None for the stand-in."""

    name: str
    program: Path | None

    @property
    def description(self) -> str:
        """The plugin's name, version and origin, to show to people."""
        return f"{self.name} {VERSIONS[self.name]}: {self.program or 'stand-in'}"


def find(name: str, environment: Mapping[str, str]) -> Plugin:
    """Look for the real plugin in the user's Pulumi home, then on PATH. Only the exact version counts."""
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    executable = f"pulumi-resource-{name}"
    installed = home / "plugins" / f"resource-{name}-v{VERSIONS[name]}" / executable
    if installed.exists():
        return Plugin(name, installed)
    on_path = shutil.which(executable, path=environment.get("PATH"))
    if on_path and _version(on_path) == VERSIONS[name]:
        return Plugin(name, Path(on_path))
    return Plugin(name, None)


def install(plugins: Mapping[str, Plugin], pulumi_home: Path) -> None:
    """Install the plugins in the lab's own Pulumi home, so that no stand-in gets into the user's."""
    for name, plugin in plugins.items():
        folder = pulumi_home / "plugins" / f"resource-{name}-v{VERSIONS[name]}"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"pulumi-resource-{name}"
        target.unlink(missing_ok=True)
        if plugin.program:
            target.symlink_to(plugin.program)
        else:
            target.write_text(
                f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(_ROOT))} "
                f'exec {shlex.quote(sys.executable)} -m lab.plugins.{name} "$@"\n'
            )
            target.chmod(0o755)


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, env=os.environ)
    return done.stdout.strip().removeprefix("v")
