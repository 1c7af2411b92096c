"""Where images, plugins and hosts come from: decided once, said aloud, never mixed.

Offline, the lab builds everything from package registries and runs the hosts on an engine of its own. Online, it
takes upstream images and the real plugins, and the engine that is there. The online half has not been tried on a
machine that could run it; only what decides between the two has been tested.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import images
from lab.packages import LabError

OFFLINE = "offline"
ONLINE = "online"
_VARIABLE = "LAB"
_ENGINE_SECONDS = 10
_PULL_SECONDS = 120


@dataclass(frozen=True)
class Mode:
    """The decision, `OFFLINE` or `ONLINE`, and what led to it."""

    name: str
    reason: str

    @property
    def online(self) -> bool:
        """Whether upstream images, real plugins and the given engine are used."""
        return self.name == ONLINE

    @property
    def description(self) -> str:
        """For people: the decision, why, and how to decide otherwise."""
        other = OFFLINE if self.online else ONLINE
        return f"lab: {self.name}, since {self.reason} ({_VARIABLE}={other} chooses the other)"


def decide(environment: Mapping[str, str], engine_probe: Callable[[], str]) -> Mode:
    """`LAB` in the environment decides; without it, whether an engine that can pull is there.

    `engine_probe` returns why there is none, or an empty text; it is asked only where `LAB` leaves it open.

    Raises:
        LabError: `LAB` is neither of the two.
    """
    forced = environment.get(_VARIABLE, "")
    if forced in {OFFLINE, ONLINE}:
        return Mode(forced, f"{_VARIABLE}={forced}")
    if forced:
        raise LabError(f"{_VARIABLE} is «{forced}»: set it to «{OFFLINE}» or «{ONLINE}», or leave it out")
    obstacle = engine_probe()
    if obstacle:
        return Mode(OFFLINE, obstacle)
    return Mode(ONLINE, "a Docker Engine is running and can pull images")


def probe_engine() -> str:
    """Ask the engine that `docker` reaches to pull an image that will be needed; why it cannot, or an empty text."""
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
