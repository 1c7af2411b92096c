"""Refusals, as people read them."""


class RefusedError(Exception):
    """A request that is refused: `status` is HTTP's, the text one line for whoever asked."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
