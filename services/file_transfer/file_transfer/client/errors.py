"""What a transfer can fail of; every text is one line for people, with the remedy where there is one."""


class ClientError(Exception):
    """It failed, and another try would fail in the same way."""


class RefusedError(ClientError):
    """The server refused; `status` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class BrokenError(ClientError):
    """A connection broke, or a server is busy: worth another try after `pause` seconds."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause
