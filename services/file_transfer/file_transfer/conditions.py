"""Conditional requests (RFC 9110, section 13), evaluated in the order that the RFC prescribes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from file_transfer.errors import InvalidRequestError, PreconditionError
from file_transfer.stored_file import StoredFile

_TAG = re.compile(r'\s*(W/)?("[^"]*")\s*(?:,|$)')
_ANY = "*"


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions of a request; None where a header is missing.

    `match` holds the entity tags for strong comparison, `none_match` those for weak comparison, or either holds `*`.
    """

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None
    modified_since: datetime | None = None
    unmodified_since: datetime | None = None

    def check_change(self, current: StoredFile | None) -> None:
        """Check the conditions of a request that would change the current file.

        Raises:
            PreconditionError: the current file is not what the client expects.
        """
        self._check_match(current)
        if self.none_match is not None and current and (_ANY in self.none_match or current.etag in self.none_match):
            raise PreconditionError("a file with that name exists already")

    def is_fresh(self, current: StoredFile) -> bool:
        """Return whether the client already has this version of the file (304).

        Raises:
            PreconditionError: the current file is not what the client expects.
        """
        self._check_match(current)
        if self.none_match is not None:
            return _ANY in self.none_match or current.etag in self.none_match
        return self.modified_since is not None and current.modified.replace(microsecond=0) <= self.modified_since

    def _check_match(self, current: StoredFile | None) -> None:
        if self.match is not None:
            if not (current and (_ANY in self.match or current.etag in self.match)):
                raise PreconditionError("the file was replaced or deleted: its ETag is not in If-Match")
        elif (
            self.unmodified_since is not None
            and current
            and current.modified.replace(microsecond=0) > self.unmodified_since
        ):
            raise PreconditionError("the file was changed after If-Unmodified-Since")


NONE = Conditions()


def parse(headers: Mapping[str, str | None]) -> Conditions:
    """Return the conditions in the headers.

    Raises:
        InvalidRequestError: a header is invalid. Ignoring it could overwrite the file that it protects.
    """
    return Conditions(
        match=_tags("If-Match", headers.get("If-Match"), weak=False),
        none_match=_tags("If-None-Match", headers.get("If-None-Match"), weak=True),
        modified_since=parse_date(headers.get("If-Modified-Since")),
        unmodified_since=parse_date(headers.get("If-Unmodified-Since")),
    )


def parse_date(text: str | None) -> datetime | None:
    """Parse an HTTP date. Return None for an invalid one, which RFC 9110 says to ignore."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def http_date(moment: datetime) -> str:
    """Format a time in UTC as an HTTP date, independent of the locale."""
    return format_datetime(moment, usegmt=True)


def _tags(name: str, text: str | None, *, weak: bool) -> frozenset[str] | None:
    if text is None:
        return None
    if text.strip() == _ANY:
        return frozenset({_ANY})
    tags, position = set(), 0
    while position < len(text):
        found = _TAG.match(text, position)
        if not found:
            raise InvalidRequestError(f'{name} is invalid: send * or entity tags in quotes, such as "HEX"')
        position = found.end()
        if weak or not found[1]:
            tags.add(found[2])
    return frozenset(tags)
