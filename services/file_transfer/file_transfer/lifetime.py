"""How long a file is kept, as an upload requests it: `ttl`, `expires` and `max-downloads`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from file_transfer import whole_numbers
from file_transfer.errors import InvalidRequestError

FIELDS = ("ttl", "expires", "max-downloads")

_TTL = re.compile(r"([0-9]{1,9})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_SECONDS = 100 * 365 * 86400
_MAX_DOWNLOADS = 10**9


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """When a file expires: `ttl` after its publication or at `expires`, and after how many downloads; None is never."""

    ttl: timedelta | None = None
    expires: datetime | None = None
    downloads: int | None = None

    def end(self, published: datetime) -> datetime | None:
        """Return when a file that was published at this time expires."""
        return self.expires if self.ttl is None else published + self.ttl


FOREVER = Lifetime()


def parse(parameters: Mapping[str, str], now: datetime) -> Lifetime:
    """Return the lifetime that the parameters request. Other parameters than `FIELDS` are ignored.

    An empty value is invalid: it may come from a variable that is not set, and the file would be kept for ever.

    Raises:
        InvalidRequestError: a parameter is invalid; the message names it.
    """
    ttl, expires, downloads = (parameters.get(name) for name in FIELDS)
    if ttl is not None and expires is not None:
        raise InvalidRequestError("ttl and expires are both given: give only one of them")
    return Lifetime(
        ttl=None if ttl is None else _parse_ttl(ttl),
        expires=None if expires is None else _parse_expires(expires, now),
        downloads=None if downloads is None else _parse_downloads(downloads),
    )


def _parse_ttl(ttl: str) -> timedelta:
    found = _TTL.fullmatch(ttl)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _MAX_SECONDS:
        raise InvalidRequestError(f"ttl is {ttl[:40]!a}: give seconds, or a number with m, h or d, such as 12h")
    return timedelta(seconds=seconds)


def _parse_expires(text: str, now: datetime) -> datetime:
    try:
        # A "+" in a query means a space, so a time zone such as +01:00 arrives with a space in front.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # OverflowError: the time zone moves it out of the years 1 to 9999
        raise InvalidRequestError(f"expires is {text[:40]!a}: give a time such as 2030-01-31T12:00:00Z") from None
    if found <= now:
        raise InvalidRequestError(f"expires is {text[:40]!a}, which is in the past: give a future time")
    return found


def _parse_downloads(text: str) -> int:
    downloads = whole_numbers.parse(text)
    if downloads is None or not 0 < downloads <= _MAX_DOWNLOADS:
        raise InvalidRequestError(f"max-downloads is {text[:40]!a}: give a whole number, 1 to {_MAX_DOWNLOADS}")
    return downloads
