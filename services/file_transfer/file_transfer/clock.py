"""The time that the index goes by.

In a cluster that is the clock of PostgreSQL's primary, so that all replicas agree on what has expired. Otherwise a host
whose clock is ahead would take running uploads for abandoned, and delete files before their time.
"""

import time
from datetime import UTC, datetime, timedelta

_shown: tuple[datetime, float] | None = None
"""What the primary's clock showed, and this process's monotonic clock at the same moment.

None: no primary has answered yet, or the index has none. Then this host's clock counts.
"""


def now() -> datetime:
    """Return the current time in UTC. It may differ from this host's clock."""
    if _shown is None:
        return datetime.now(UTC)
    shown, moment = _shown
    return shown + timedelta(seconds=time.monotonic() - moment)


def follow(shown: datetime, moment: float) -> None:
    """Go by a clock that showed this time at this moment of `time.monotonic()`, until the next call."""
    global _shown  # noqa: PLW0603 - like a host, a process has one clock
    _shown = shown.astimezone(UTC), moment
