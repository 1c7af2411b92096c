"""Settings, from environment variables that begin with FILE_TRANSFER_."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "FILE_TRANSFER_"


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
    """Time for running transfers to end after SIGTERM."""


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: one of them cannot be used.
    """
    return Settings(
        data=Path(environment.get(f"{_PREFIX}DATA", "data")),
        port=_number(environment, "PORT", 8080),
        workers=_number(environment, "WORKERS", 2),
        threads=_number(environment, "THREADS", 16),
        max_file_bytes=_number(environment, "MAX_FILE_BYTES", 64 * 2**30),
        grace_seconds=_number(environment, "GRACE_SECONDS", 25),
    )


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(_PREFIX + name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{_PREFIX}{name} is «{text}»: set it to a whole number, 1 or more")
    return int(text)
