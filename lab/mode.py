"""Choose where images, plugins and hosts come from. The choice is made once, printed, and never mixed.

An offline lab builds everything from package registries, and runs the hosts on its own Docker Engine. An online lab
uses upstream images, the real plugins, and the machine's Docker Engine. The online mode has not been tried yet on a
machine that can run it. Only the choice between the modes is tested.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components import images
from lab.packages import LabError
from lab.paths import Lab

OFFLINE = "offline"
ONLINE = "online"
_VARIABLE = "LAB"
_ENGINE_SECONDS = 10
_PULL_SECONDS = 120


@dataclass(frozen=True)
class Mode:
    """The chosen mode, `OFFLINE` or `ONLINE`, and the reason."""

    name: str
    reason: str

    @property
    def description(self) -> str:
        """The mode, the reason, and how to choose the other one."""
        other = OFFLINE if self.name == ONLINE else ONLINE
        return f"lab: {self.name}, since {self.reason} ({_VARIABLE}={other} chooses the other)"


def choose(lab: Lab) -> None:
    """Choose online or offline when the lab is first made. The choice is kept until the lab is destroyed.

    Raises:
        LabError: `LAB` is no mode, or another one than this lab's.
    """
    known, forced = recorded(lab), os.environ.get(_VARIABLE, "")
    if known and forced and forced != known:
        raise LabError(f'LAB is "{forced}", but this lab is {known}: run `make destroy` first')
    if not known:
        decided = decide(os.environ, probe_engine)
        print(f"== {decided.description}")
        lab.local_dir.mkdir(parents=True, exist_ok=True)
        lab.mode_file.write_text(f"{decided.name}\n")


def recorded(lab: Lab) -> str:
    """Return the mode that was chosen for the lab, or an empty text before that."""
    return lab.mode_file.read_text().strip() if lab.mode_file.exists() else ""


def decide(environment: Mapping[str, str], engine_probe: Callable[[], str]) -> Mode:
    """Choose the mode by the variable `LAB`, or if it is not set, by whether there is an engine that can pull images.

    `engine_probe` returns why there is no such engine, or an empty text. It is called only if `LAB` is not set.

    Raises:
        LabError: `LAB` is neither of the two modes.
    """
    forced = environment.get(_VARIABLE, "")
    if forced in {OFFLINE, ONLINE}:
        return Mode(forced, f"{_VARIABLE}={forced}")
    if forced:
        raise LabError(f'{_VARIABLE} is "{forced}": set it to "{OFFLINE}" or "{ONLINE}", or unset it')
    obstacle = engine_probe()
    if obstacle:
        return Mode(OFFLINE, obstacle)
    return Mode(ONLINE, "a Docker Engine is running and can pull images")


def probe_engine() -> str:
    """Pull an image that will be needed anyway; return why that failed, or an empty text."""
    if not _succeeds(_ENGINE_SECONDS, "docker", "version", "--format={{.Server.Version}}"):
        return "no Docker Engine answers"
    if not _succeeds(_PULL_SECONDS, "docker", "pull", "--quiet", images.HAPROXY):
        return "the Docker Engine cannot pull upstream images"
    return ""


def _succeeds(seconds: int, *command: str) -> bool:
    try:
        done = subprocess.run(command, timeout=seconds, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
