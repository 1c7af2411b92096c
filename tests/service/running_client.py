"""Runs the client's command line in this process."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from file_transfer_client.__main__ import main


@dataclass
class CommandLine:
    """Runs commands against `servers`. `waits` are the pauses in seconds, which are recorded instead of made."""

    captured: pytest.CaptureFixture[bytes]
    servers: str
    waits: list[float] = field(default_factory=list)
    during_waits: Callable[[], None] = lambda: None

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run one command, and return its status, standard output and standard error."""
        self.captured.readouterr()
        status = main([*arguments, "--server", self.servers], self._wait)
        written = self.captured.readouterr()
        return status, written.out.decode(), written.err.decode()

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.during_waits()
