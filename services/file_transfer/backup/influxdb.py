"""An InfluxDB 1.x, read and written over HTTP. Neither answers nor what is written are kept in memory as a whole."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from backup.settings import DatabaseSettings

_TIMEOUT_SECONDS = 300
_READER = "reader"
_WRITER = "writer"


class InfluxdbError(Exception):
    """The database cannot be read or written. The message names it, and says why."""


@dataclass(frozen=True)
class Series:
    """Some points of one series: a row has a value for each of `columns`."""

    measurement: str
    columns: list[str]
    rows: list[list[Any]]
    tags: dict[str, str] = field(default_factory=dict)


class Influxdb:
    """One database."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._place = f"InfluxDB {settings.host}:{settings.port}, database {settings.name}"

    def query(self, text: str) -> Iterator[Series]:
        """Yield what a query finds, in parts. Times are in nanoseconds since 1970.

        Raises:
            InfluxdbError: it cannot be read, also in the middle.
        """
        parameters = urlencode({"db": self._settings.name, "q": text, "chunked": "true", "epoch": "ns"})
        connection = HTTPConnection(self._settings.host, self._settings.port, timeout=_TIMEOUT_SECONDS)
        with closing(connection):
            try:
                connection.request("GET", f"/query?{parameters}", headers=self._user(_READER))
                response = connection.getresponse()
                if response.status != 200:
                    raise self._refused(response)
                is_partial = False
                while line := response.readline():  # each chunk is a JSON document on a line of its own
                    for result in self._results(line):
                        is_partial = bool(result.get("partial"))
                        yield from (_series(series) for series in result.get("series", ()))
            except (OSError, HTTPException, ValueError) as error:
                raise InfluxdbError(f"{self._place}: it cannot be read: {error or type(error).__name__}") from error
        if is_partial:
            raise InfluxdbError(f"{self._place}: the answer was cut short")

    def write(self, points: Sequence[bytes]) -> str:
        """Write lines of points. Return what InfluxDB says about points that it dropped; usually empty.

        Raises:
            InfluxdbError: they cannot be written.
        """
        parameters = urlencode({"db": self._settings.name, "precision": "ns"})
        connection = HTTPConnection(self._settings.host, self._settings.port, timeout=_TIMEOUT_SECONDS)
        with closing(connection):
            try:
                connection.request("POST", f"/write?{parameters}", b"".join(points), self._user(_WRITER))
                response = connection.getresponse()
                if response.status == 204:
                    return ""
                refused = self._refused(response)
            except (OSError, HTTPException) as error:
                raise InfluxdbError(f"{self._place}: it cannot be written: {error or type(error).__name__}") from error
        # It has stored the others. It drops what is older than its retention, for instance.
        if response.status == 400 and "partial write" in str(refused):
            return str(refused)
        raise refused

    def _user(self, user: str) -> dict[str, str]:
        password = self._settings.reader_password if user == _READER else self._settings.writer_password
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}

    def _refused(self, response: HTTPResponse) -> InfluxdbError:
        text = response.read(10_000).decode(errors="replace").strip()
        try:
            text = json.loads(text)["error"]
        except (ValueError, KeyError, TypeError):
            text = text or response.reason
        return InfluxdbError(f"{self._place}: status {response.status}: {text}")

    def _results(self, line: bytes) -> list[dict[str, Any]]:
        document = json.loads(line)
        results: list[dict[str, Any]] = document.get("results", [])
        for error in (document.get("error"), *(result.get("error") for result in results)):
            if error:
                raise InfluxdbError(f"{self._place}: {error}")
        return results


def _series(found: dict[str, Any]) -> Series:
    return Series(found.get("name", ""), found["columns"], found.get("values", []), found.get("tags") or {})
