"""The container's health check, `python -m file_transfer.healthcheck`: exits with 0 if the replica responds."""

import sys
from http.client import HTTPConnection

from file_transfer import settings

_TIMEOUT_SECONDS = 4


def main() -> int:
    """Request /healthz once, and return the exit status."""
    connection = HTTPConnection("127.0.0.1", settings.load().status_port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
