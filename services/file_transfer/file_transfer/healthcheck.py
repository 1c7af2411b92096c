"""The container's health check, `python -m file_transfer.healthcheck [SECONDS]`.

It exits with 0 if the replica responds within this time, by default 4 seconds.
"""

import sys
from http.client import HTTPConnection

from file_transfer import settings

_TIMEOUT_SECONDS = 4.0


def main(seconds: float) -> int:
    """Request /healthz once, and return the exit status."""
    connection = HTTPConnection("127.0.0.1", settings.load().status_port, timeout=seconds)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else _TIMEOUT_SECONDS))
