"""Settings, from environment variables that begin with FILE_TRANSFER_."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "FILE_TRANSFER_"

RESERVED_THREADS = 4
"""Threads of a worker that no transfer takes: health, readiness, metrics, lists."""


class SettingsError(ValueError):
    """A variable has a value that cannot be; the text names it and says what can."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How one replica runs; `threads` is how many requests a worker process serves at once."""

    data: Path
    port: int
    workers: int
    threads: int
    max_file_bytes: int
    grace_seconds: int
    """Time until the end after SIGTERM, `drain_seconds` and running transfers together."""
    drain_seconds: int
    """Time for the edge to see that this replica is no longer ready."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: one of them cannot be used.
    """
    configured = Settings(
        data=Path(environment.get(f"{_PREFIX}DATA", "data")),
        port=_number(environment, "PORT", 8080, most=65535),
        workers=_number(environment, "WORKERS", 2),
        threads=_number(environment, "THREADS", 64, least=RESERVED_THREADS + 1),
        max_file_bytes=_number(environment, "MAX_FILE_BYTES", 64 * 2**30),
        grace_seconds=_number(environment, "GRACE_SECONDS", 25),
        drain_seconds=_number(environment, "DRAIN_SECONDS", 3, least=0),
    )
    if configured.drain_seconds >= configured.grace_seconds:
        raise SettingsError(
            f"{_PREFIX}DRAIN_SECONDS is «{configured.drain_seconds}»: "
            f"set it to less than {_PREFIX}GRACE_SECONDS, {configured.grace_seconds}"
        )
    return configured


def _number(environment: Mapping[str, str], name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    text = environment.get(_PREFIX + name, str(default))
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        possible = f"{least} or more" if most is None else f"{least} to {most}"
        raise SettingsError(f"{_PREFIX}{name} is «{text}»: set it to a whole number, {possible}")
    return int(text)
