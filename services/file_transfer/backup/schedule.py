"""When the next backup is due."""

from backup.record import Record

RETRY_SECONDS = 300
"""How long after a failed backup the next one is tried."""


def seconds_left(record: Record, every: float, now: float) -> float:
    """Return in how many seconds a backup is due; 0 or less if it is now. Times are in seconds since 1970."""
    # A time in the future is from a clock that was wrong, and must not keep backups from being made.
    due = record.last_success + every if record.last_success <= now else now
    if record.last_success < record.last_failure <= now:
        due = max(due, record.last_failure + RETRY_SECONDS)
    return due - now
