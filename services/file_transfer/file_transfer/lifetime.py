"""How long a file is to be there, as an upload asks for it: `ttl`, `expires` and `max-downloads`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from file_transfer.errors import RefusedError

_TTL = re.compile(r"(\d{1,9})([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_SECONDS = 100 * 365 * 86400
_MOST_DOWNLOADS = 10**9


@dataclass(frozen=True, kw_only=True)
class Lifetime:
    """Until when, and for how many downloads; None: for ever, any number."""

    expires: datetime | None = None
    downloads: int | None = None


FOREVER = Lifetime()


def read(asked: Mapping[str, str], now: datetime) -> Lifetime:
    """The lifetime in these parameters.

    Raises:
        RefusedError: 400, naming the one that cannot be.
    """
    ttl, expires, downloads = (asked.get(name, "") for name in ("ttl", "expires", "max-downloads"))
    if ttl and expires:
        raise RefusedError(400, "ttl and expires cannot both be given: give one of them")
    return Lifetime(
        expires=_after(ttl, now) if ttl else _at(expires, now) if expires else None,
        downloads=_downloads(downloads) if downloads else None,
    )


def _after(ttl: str, now: datetime) -> datetime:
    found = _TTL.fullmatch(ttl)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _MOST_SECONDS:
        raise RefusedError(400, f"ttl is {ttl[:40]!a}: give seconds, or a number with m, h or d, such as 12h")
    return now + timedelta(seconds=seconds)


def _at(text: str, now: datetime) -> datetime:
    try:
        # A «+» in a query is a blank; nobody writes one before a time zone on purpose.
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        found = None
    if found is None:
        raise RefusedError(400, f"expires is {text[:40]!a}: give a time such as 2030-01-31T12:00:00Z")
    found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if found <= now:
        raise RefusedError(400, f"expires is {text[:40]!a}, which is over: give a time to come")
    return found


def _downloads(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:11]) <= _MOST_DOWNLOADS):
        raise RefusedError(400, f"max-downloads is {text[:40]!a}: give a whole number, 1 or more")
    return int(text)
