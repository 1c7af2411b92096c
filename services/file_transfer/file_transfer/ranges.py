"""The range that a download asks for (RFC 9110, section 14): one, in bytes. Others are answered with the whole file."""

import re
from dataclasses import dataclass

from file_transfer import conditions
from file_transfer.stored_file import StoredFile

_ONE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """The file has no such bytes."""


@dataclass(frozen=True)
class Range:
    """`size` bytes from `start`."""

    start: int
    size: int


def read(header: str | None, if_range: str | None, file: StoredFile) -> Range | None:
    """The range, or None where the whole file is the answer.

    Raises:
        UnsatisfiableError: it lies outside the file.
    """
    found = _ONE.fullmatch(header) if header else None
    if not found or not (found[1] or found[2]) or not _still_holds(if_range, file):
        return None
    if not found[1]:
        size = min(int(found[2]), file.size)
        start = file.size - size
    else:
        start = int(found[1])
        last = int(found[2]) if found[2] else file.size - 1
        if found[2] and last < start:
            return None  # no range at all, by the RFC's grammar
        size = min(last, file.size - 1) - start + 1
    if size <= 0 or start >= file.size:
        raise UnsatisfiableError
    return Range(start, size)


def _still_holds(if_range: str | None, file: StoredFile) -> bool:
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == file.etag
    return conditions.date(if_range) == file.modified.replace(microsecond=0)
