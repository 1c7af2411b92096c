"""Conditions of a request on the file that is there (RFC 9110, section 13), evaluated in the order that it gives."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from file_transfer.errors import RefusedError
from file_transfer.stored_file import StoredFile

_TAG = re.compile(r'\s*(W/)?("[^"]*")\s*(?:,|$)')
_ANY = "*"


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """`match` and `none_match` are entity tags as they are compared (strongly, weakly), or «*»; None: not asked."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None
    modified_since: datetime | None = None
    unmodified_since: datetime | None = None

    def check_change(self, current: StoredFile | None) -> None:
        """For a request that would change what is there.

        Raises:
            RefusedError: 412, since something else is there than the client thinks.
        """
        self._check_match(current)
        if self.none_match is not None and current and (_ANY in self.none_match or current.etag in self.none_match):
            raise RefusedError(412, "there is a file of that name already")

    def is_fresh(self, current: StoredFile) -> bool:
        """Whether the client has what it asks for already (304).

        Raises:
            RefusedError: 412, as for a change.
        """
        self._check_match(current)
        if self.none_match is not None:
            return _ANY in self.none_match or current.etag in self.none_match
        return self.modified_since is not None and current.modified.replace(microsecond=0) <= self.modified_since

    def _check_match(self, current: StoredFile | None) -> None:
        if self.match is not None:
            if not (current and (_ANY in self.match or current.etag in self.match)):
                raise RefusedError(412, "another file has this name by now, or none: it is not what If-Match names")
        elif (
            self.unmodified_since is not None
            and current
            and current.modified.replace(microsecond=0) > self.unmodified_since
        ):
            raise RefusedError(412, "the file was changed after If-Unmodified-Since")


NONE = Conditions()


def read(headers: Mapping[str, str | None]) -> Conditions:
    """The conditions in these headers (any mapping with `get`).

    Raises:
        RefusedError: 400, since one cannot be read; to ignore it could overwrite what it protects.
    """
    return Conditions(
        match=_tags("If-Match", headers.get("If-Match"), weak=False),
        none_match=_tags("If-None-Match", headers.get("If-None-Match"), weak=True),
        modified_since=date(headers.get("If-Modified-Since")),
        unmodified_since=date(headers.get("If-Unmodified-Since")),
    )


def date(text: str | None) -> datetime | None:
    """A date as HTTP writes it; None for what is none, which RFC 9110 wants ignored."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def written(moment: datetime) -> str:
    """A time in UTC as HTTP writes it, in any locale."""
    return format_datetime(moment, usegmt=True)


def _tags(name: str, text: str | None, *, weak: bool) -> frozenset[str] | None:
    if text is None:
        return None
    if text.strip() == _ANY:
        return frozenset({_ANY})
    tags, at = set(), 0
    while at < len(text):
        found = _TAG.match(text, at)
        if not found:
            raise RefusedError(400, f'{name} cannot be read: send * or tags in quotes, such as "HEX"')
        at = found.end()
        if weak or not found[1]:
            tags.add(found[2])
    return frozenset(tags)
