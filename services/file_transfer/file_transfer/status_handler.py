"""What the handlers of health and metrics have in common."""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

_TEXT = "text/plain; charset=utf-8"


class StatusHandler(BaseHTTPRequestHandler):
    """Answers with small whole texts, and logs nothing: there are several requests a minute, or a second."""

    timeout = 5

    def answer(self, status: int, content: bytes, content_type: str = _TEXT) -> None:
        """Send a whole answer."""
        self.send_response_only(HTTPStatus(status))
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
