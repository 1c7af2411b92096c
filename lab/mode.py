"""Choose where images, plugins and hosts come from. The choice is made once, printed, and never mixed.

An offline lab builds everything from package registries, and runs the hosts on its own Docker Engine. An online lab
uses upstream images, the real plugins, and the machine's Docker Engine. The online mode has not been tried yet on a
machine that can run it. Only the choice between the modes is tested.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components import images
from lab.packages import LabError

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
    def online(self) -> bool:
        """Whether upstream images, the real plugins and the machine's own engine are used."""
        return self.name == ONLINE

    @property
    def description(self) -> str:
        """The mode, the reason, and how to choose the other one."""
        other = OFFLINE if self.online else ONLINE
        return f"lab: {self.name}, since {self.reason} ({_VARIABLE}={other} chooses the other)"


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
