"""The access log: one JSON object on each line, whatever a client puts into its request."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from gunicorn.glogging import Logger

from file_transfer.app import TOKEN_NAME


class AccessLog(Logger):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's log, with access lines that cannot be forged: gunicorn escapes quotes, but not backslashes.

    The lines are written without a logging handler, since its lock would make the threads wait at every request.
    """

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:  # noqa: ANN401, ARG002 - gunicorn's
        """Write one line. Called by gunicorn at the end of a request."""
        os.write(sys.stdout.fileno(), f"{_line(resp, environ, request_time)}\n".encode())


def _line(response: Any, environ: dict[str, Any], duration: timedelta) -> str:  # noqa: ANN401 - gunicorn's
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": environ.get("HTTP_X_REQUEST_ID", ""),
            "client": environ.get("HTTP_X_FORWARDED_FOR") or environ.get("REMOTE_ADDR", ""),
            "token": environ.get(TOKEN_NAME, ""),
            "line": f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}",
            # A request that gunicorn itself refuses has a status line, but no status code.
            "status": int((response.status or "0").split()[0]),
            # gunicorn does not count what the kernel sends with sendfile, which is either all of it or an error.
            "bytes": response.sent or response.response_length or 0,
            "seconds": round(duration.total_seconds(), 6),
        }
    )
