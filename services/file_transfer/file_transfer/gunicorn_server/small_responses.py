"""Responses that are sent with their headers at once: one packet and one call less than gunicorn's two."""

from typing import Any

from gunicorn.http import wsgi

_MOST_BYTES = 64 * 1024


def install(*, server: str) -> None:
    """Make gunicorn send these responses, with this text in the header Server, for which it has no setting."""
    wsgi.SERVER = server
    wsgi.Response = SmallResponse


class SmallResponse(wsgi.Response):  # type: ignore[misc] # gunicorn ships no types
    """A response whose first block is joined with the headers, unless it is large."""

    sock: Any

    def write(self, block: bytes) -> None:
        """Send a block. Called by gunicorn."""
        if self.headers_sent or len(block) > _MOST_BYTES:
            super().write(block)
            return
        connection, joined = self.sock, _Joined()
        self.sock = joined
        try:
            super().write(block)
        finally:
            self.sock = connection
        connection.sendall(joined)


class _Joined(bytearray):
    """Data that would have been sent piece by piece."""

    sendall: Any = bytearray.extend
