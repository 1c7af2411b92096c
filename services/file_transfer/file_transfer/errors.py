"""Refusals, as people read them, and as they are counted."""

from http import HTTPStatus

_KINDS = {413: "too_large", 416: "range", 422: "digest", 460: "digest", 507: "no_room"}


class RefusedError(Exception):
    """A request that is refused: `status` is HTTP's, the text one line for whoever asked.

    `kind` is the word under which it is counted: what the status says, where no other is given.
    """

    def __init__(self, status: int, reason: str, *, kind: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.kind = kind or kind_of(status)


def kind_of(status: int) -> str:
    """What a status says, as one word: `precondition_failed`."""
    return _KINDS.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
