"""Refused requests: the message for the user, and the reason under which metrics count them.

Code that parses requests raises `RefusedError` with a status. Storage and uploads raise the named errors below, and
only this module says which status each of those has.
"""

from http import HTTPStatus
from typing import ClassVar

_KINDS = {413: "too_large", 416: "range", 422: "digest", 460: "digest", 507: "no_room"}


class RefusedError(Exception):
    """A refused request: `status` is the HTTP status code, `reason` one line for the user.

    Metrics count it under `kind`, which by default is derived from the status.
    """

    def __init__(self, status: int, reason: str, *, kind: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.kind = kind or kind_of(status)


class DomainError(RefusedError):
    """A request that is refused for a reason which has nothing to do with HTTP."""

    STATUS: ClassVar[int]
    KIND: ClassVar[str] = ""

    def __init__(self, reason: str) -> None:
        super().__init__(self.STATUS, reason, kind=self.KIND)


class CutShortError(DomainError):
    """The client disconnected, or sent fewer bytes than it had declared. What has been read is what it sent."""

    STATUS, KIND = 400, "cut_short"


class TooSlowError(CutShortError):
    """The client sent too slowly. What has been read is what it sent."""

    STATUS, KIND = 408, "too_slow"


class ConflictError(DomainError):
    """The upload is not where the request expects it to be, or another request is changing it."""

    STATUS = 409


class SmallPartsError(DomainError):
    """An upload arrives in too many parts that are too small."""

    STATUS, KIND = 400, "small_parts"


class TooLargeError(DomainError):
    """There are more bytes than are allowed or declared."""

    STATUS = 413


class ChecksumError(DomainError):
    """The bytes are not those that the client announced."""

    STATUS = 460


class BusyError(DomainError):
    """As many transfers are running as this process can serve."""

    STATUS, KIND = 503, "busy"


class DrainingError(DomainError):
    """This replica is shutting down."""

    STATUS, KIND = 503, "draining"


class HeldError(DomainError):
    """Others hold all downloads that are left of the file."""

    STATUS, KIND = 503, "held"


class NoRoomError(DomainError):
    """The store has no space left."""

    STATUS = 507


class QuotaError(DomainError):
    """All files together would have more bytes than they may."""

    STATUS, KIND = 507, "quota"


def kind_of(status: int) -> str:
    """Return the name under which metrics count a status, such as `precondition_failed`."""
    return _KINDS.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
