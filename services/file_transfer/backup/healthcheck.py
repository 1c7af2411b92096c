"""The container's health check, `python -m backup.healthcheck SECONDS`.

It exits with 0 if the service responds within this time.
"""

import sys
from http.client import HTTPConnection

_PORT = 8082


def main(seconds: float) -> int:
    """Request /healthz once, and return the exit status."""
    connection = HTTPConnection("127.0.0.1", _PORT, timeout=seconds)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
