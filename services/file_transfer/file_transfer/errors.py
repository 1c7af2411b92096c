"""Refusals, as people read them, and as they are counted."""

from http import HTTPStatus

_DIGEST = 460
"""tus's own status."""


class RefusedError(Exception):
    """A request that is refused: `status` is HTTP's, the text one line for whoever asked.

    `kind` is the word under which refusals are counted: what the status says, where no other is given.
    """

    def __init__(self, status: int, reason: str, *, kind: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.kind = kind or kind_of(status)


def kind_of(status: int) -> str:
    """What a status says, as one word: `precondition_failed`."""
    if status == _DIGEST:
        return "digest"
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
