"""The Range header (RFC 9110, section 14). One range of bytes is supported; otherwise the whole file is sent."""

import re
from dataclasses import dataclass

from file_transfer import conditions, whole_numbers
from file_transfer.stored_file import StoredFile

_BEYOND_ANY_FILE = 10**19
_SINGLE_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The range lies outside the file."""


@dataclass(frozen=True)
class Range:
    """`size` bytes from position `start`."""

    start: int
    size: int


def parse(header: str | None, if_range: str | None, file: StoredFile) -> Range | None:
    """Return the requested range, or None if the whole file is to be sent.

    Raises:
        UnsatisfiableError: the range lies outside the file.
    """
    found = _SINGLE_RANGE.fullmatch(header) if header else None
    if not found or not (found[1] or found[2]) or not _is_same_version(if_range, file):
        return None
    if not found[1]:
        size = min(_position(found[2]), file.size)
        start = file.size - size
    else:
        start = _position(found[1])
        last = _position(found[2]) if found[2] else file.size - 1
        if found[2] and last < start:
            return None  # invalid by the RFC's grammar, so the header is ignored
        size = min(last, file.size - 1) - start + 1
    if size <= 0 or start >= file.size:
        raise UnsatisfiableError
    return Range(start, size)


def _position(digits: str) -> int:
    position = whole_numbers.parse(digits.lstrip("0") or "0")
    return _BEYOND_ANY_FILE if position is None else position


def _is_same_version(if_range: str | None, file: StoredFile) -> bool:
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == file.etag
    return conditions.parse_date(if_range) == file.modified.replace(microsecond=0)
