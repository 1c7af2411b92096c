"""Ends with status 0 if the replica in this container answers: `python -m file_transfer.healthcheck`."""

import sys
from http.client import HTTPConnection

from file_transfer import settings

_SECONDS = 4


def main() -> int:
    """Ask /healthz once."""
    connection = HTTPConnection("127.0.0.1", settings.load().port, timeout=_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
