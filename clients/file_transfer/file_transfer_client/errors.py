"""Reasons why a transfer fails. Every message is one line for people, with the remedy where there is one."""


class ClientError(Exception):
    """A permanent failure: another try would fail in the same way."""


class RefusedError(ClientError):
    """The server refused the request; `status` is the HTTP status code."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class BrokenError(ClientError):
    """A temporary failure, such as a broken connection or a busy server: try again after `pause` seconds."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause
