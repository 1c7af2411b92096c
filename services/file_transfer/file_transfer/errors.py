"""Refused requests: the message for the user, and the reason under which metrics count them."""

from http import HTTPStatus

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


def kind_of(status: int) -> str:
    """Return the name under which metrics count a status, such as `precondition_failed`."""
    return _KINDS.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
