"""The InfluxDB client, against a server whose response a test chooses."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from monitoring import influxdb_client
from monitoring.influxdb_client import InfluxdbError

SERIES = {"name": "m", "tags": {"node": "master"}, "columns": ["time", "value"], "values": [[1_500, 0.5], [2_500, 1]]}


class Server(BaseHTTPRequestHandler):
    """Sends the same response to every query."""

    status: ClassVar[int] = 200
    response: ClassVar[Any] = {"results": [{"series": [SERIES]}]}
    parameters: ClassVar[dict[str, list[str]]] = {}
    authorization: ClassVar[str | None] = None

    def do_GET(self) -> None:
        type(self).parameters = parse_qs(urlsplit(self.path).query)
        type(self).authorization = self.headers["Authorization"]
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.response if isinstance(self.response, bytes) else json.dumps(self.response).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_series_have_tags_and_times_in_seconds(url: str) -> None:
    (series,) = influxdb_client.query(url, "vms", "reader", "secret", "SELECT value FROM m")

    assert (series.measurement, dict(series.tags), series.columns) == ("m", {"node": "master"}, ("time", "value"))
    assert series.rows == ((1.5, 0.5), (2.5, 1))


def test_the_password_is_sent_only_in_a_header(url: str) -> None:
    influxdb_client.query(url, "vms", "reader", "secret", "SELECT value FROM m")

    assert Server.parameters == {"db": ["vms"], "q": ["SELECT value FROM m"], "epoch": ["ms"]}
    assert Server.authorization is not None
    assert Server.authorization.startswith("Basic ")


@pytest.mark.parametrize(
    ("status", "response", "message"),
    [
        (401, {"error": "authorization failed"}, 'user "reader" is refused (authorization failed): check the user'),
        (200, {"results": [{"error": "database not found: vms"}]}, "no such database"),
        (200, {"results": [{"error": "invalid measurement"}]}, "invalid measurement, for the query: SELECT"),
        (400, {"error": "error parsing query"}, "error parsing query, for the query: SELECT"),
        (502, b"<html>", "HTTP status 502"),
        (200, {"version": 3}, "this is not an InfluxDB 1.x"),
        (200, {"results": [{"series": [SERIES], "partial": True}]}, "cut short"),
    ],
)
def test_an_error_names_the_database_and_the_cause(
    url: str, monkeypatch: pytest.MonkeyPatch, status: int, response: object, message: str
) -> None:
    monkeypatch.setattr(Server, "status", status)
    monkeypatch.setattr(Server, "response", response)

    with pytest.raises(InfluxdbError) as raised:
        influxdb_client.query(url, "vms", "reader", "secret", "SELECT value FROM m")

    assert f"InfluxDB {url}, database vms: " in str(raised.value)
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_unreachable_server_is_reported() -> None:
    with pytest.raises(InfluxdbError, match="no response; is it running, and reachable from here"):
        influxdb_client.query("http://127.0.0.1:9", "vms", "reader", "secret", "SELECT value FROM m")
