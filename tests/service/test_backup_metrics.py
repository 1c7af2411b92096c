"""Metrics as line protocol and back, with an InfluxDB that is a small server on loopback.

It answers in the form that InfluxDB 1.x does. The end-to-end test restores to the real one, and compares what queries
find.
"""

import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from backup import metrics
from backup.archive import ArchiveError
from backup.influxdb import Influxdb, InfluxdbError
from backup.line_protocol import InexpressibleError, lines
from backup.settings import DatabaseSettings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAY = 86_400 * 10**9
TODAY = int(datetime(2026, 11, 29, tzinfo=UTC).timestamp()) * 10**9


@dataclass
class FakeInfluxdb:
    """`chunks` are the bodies of the answers, by what the query begins with. A chunk of None breaks the connection."""

    port: int = 0
    chunks: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    status: int = 204
    error: str = ""

    def answer(self, query: str) -> list[dict[str, Any] | None]:
        return next((found for start, found in self.chunks.items() if query.startswith(start)), [{"results": [{}]}])

    @property
    def database(self) -> Influxdb:
        return Influxdb(
            DatabaseSettings(
                name="vms", host="127.0.0.1", port=self.port, reader_password="read it", writer_password="write it"
            )
        )


@pytest.fixture
def influxdb() -> Iterator[FakeInfluxdb]:
    fake = FakeInfluxdb()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parameters = self.begin("reader:read it", db="vms", chunked="true", epoch="ns")
            (query,) = parameters["q"]
            fake.queries.append(query)
            self.send_response(fake.status if fake.error else 200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in [{"error": fake.error}] if fake.error else fake.answer(query):
                if chunk is None:
                    self.close_connection = True
                    return
                text = json.dumps(chunk).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.write(b"0\r\n\r\n")

        def do_POST(self) -> None:
            self.begin("writer:write it", db="vms", precision="ns")
            fake.written.append(self.rfile.read(int(self.headers["Content-Length"])))
            text = json.dumps({"error": fake.error}).encode() if fake.error else b""
            self.send_response(fake.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def begin(self, user: str, **expected: str) -> dict[str, list[str]]:
            assert self.headers["Authorization"] == f"Basic {base64.b64encode(user.encode()).decode()}"
            parameters = parse_qs(urlsplit(self.path).query)
            assert {name: parameters[name] for name in expected} == {name: [value] for name, value in expected.items()}
            return parameters

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has seen an error does not read the rest."""

    server = Server(("127.0.0.1", 0), Handler)
    fake.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


def chunk(*series: dict[str, Any], partial: bool = False) -> dict[str, Any]:
    return {"results": [{"statement_id": 0, "series": list(series)} | ({"partial": True} if partial else {})]}


def one_series(name: str, rows: list[list[Any]], tags: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": name, "columns": ["time", "value"], "values": rows} | ({"tags": tags} if tags else {})


def field_keys(name: str, **kinds: str) -> dict[str, Any]:
    return {"name": name, "columns": ["fieldKey", "fieldType"], "values": [list(pair) for pair in kinds.items()]}


def points(influxdb: FakeInfluxdb) -> list[str]:
    written = io.BytesIO()
    metrics.write(influxdb.database, written, NOW)
    comment, *found = written.getvalue().decode().splitlines()
    assert comment.startswith("#")
    return found


def test_points_of_prometheus_become_lines(influxdb: FakeInfluxdb) -> None:
    influxdb.chunks = {
        "SELECT * FROM /.*/ ORDER": [chunk(one_series("up", [[TODAY + 5, 1]]))],
        "SHOW FIELD KEYS": [chunk(field_keys("up", value="float"), field_keys("load1", value="float"))],
        "SELECT * FROM /.*/ WHERE": [
            chunk(
                one_series(
                    "load1", [[TODAY + 5, 0.25], [TODAY + 6, 1e-09]], {"instance": "host-1:9100", "job": "node"}
                ),
                partial=True,
            ),
            chunk(one_series("up", [[TODAY + 5, 1]], {"instance": "host-1:9100", "job": ""})),
        ],
    }

    assert points(influxdb) == [
        f"load1,instance=host-1:9100,job=node value=0.25 {TODAY + 5}",
        f"load1,instance=host-1:9100,job=node value=1e-09 {TODAY + 6}",
        f"up,instance=host-1:9100 value=1 {TODAY + 5}",
    ]


def test_an_empty_database_has_no_points(influxdb: FakeInfluxdb) -> None:
    assert points(influxdb) == []


def test_points_are_read_a_day_at_a_time(influxdb: FakeInfluxdb) -> None:
    first = TODAY - 2 * DAY + 7
    influxdb.chunks = {
        "SELECT * FROM /.*/ ORDER": [chunk(one_series("up", [[TODAY + 1, 1]]), one_series("a", [[first, 1]]))]
    }

    points(influxdb)

    conditions = [query.partition("WHERE ")[2] for query in influxdb.queries if "WHERE" in query]
    assert conditions == [
        f"time >= {TODAY - 2 * DAY} AND time < {TODAY - DAY} GROUP BY *",
        f"time >= {TODAY - DAY} AND time < {TODAY} GROUP BY *",
        f"time >= {TODAY} GROUP BY *",
    ]


def test_points_that_are_newer_than_the_clock_are_read(influxdb: FakeInfluxdb) -> None:
    influxdb.chunks = {"SELECT * FROM /.*/ ORDER": [chunk(one_series("up", [[TODAY + 3 * DAY, 1]]))]}

    points(influxdb)

    assert influxdb.queries[-1].endswith(f"WHERE time >= {TODAY + 3 * DAY} GROUP BY *")


SPECIAL = 'a, b=c\\d"e é'


def test_what_is_special_is_escaped() -> None:
    columns = ["time", "f, =g", "text"]

    (line,) = lines("m, =n", {"t, =u": SPECIAL}, columns, [[7, 1.5, SPECIAL]], {})

    assert line == (
        r"m\,\ =n,t\,\ \=u=a\,\ b\=c\d" + '"' + r"e\ é f\,\ \=g=1.5,text="
        r'"a, b=c\\d\"e é" 7' + "\n"
    )
    assert parsed(line) == ("m, =n", {"t, =u": SPECIAL}, {"f, =g": "1.5", "text": SPECIAL}, 7)


def parsed(line: str) -> tuple[str, dict[str, str], dict[str, str], int]:
    """Parse a line as InfluxDB does: https://github.com/influxdata/influxdb/blob/1.8/models/points.go."""
    series, fields, time = re.fullmatch(
        r'((?:\\.|[^ \\]|\\)+?)(?<!\\) ((?:[^" ]|\\ |"(?:\\.|[^"\\])*")+) (\d+)\n', line
    ).groups()  # type: ignore[union-attr] # then the test fails
    name, *tags = re.split(r"(?<!\\),", series)
    pairs = re.findall(r'((?:\\.|[^=\\])+)=("(?:\\.|[^"\\])*"|[^,]*),?', fields)
    return (
        unescaped(name),
        dict(tuple(unescaped(part) for part in re.split(r"(?<!\\)=", tag)) for tag in tags),
        {
            unescaped(key): re.sub(r'\\(["\\])', r"\1", value[1:-1]) if value[0] == '"' else value
            for key, value in pairs
        },
        int(time),
    )


def unescaped(text: str) -> str:
    return re.sub(r"\\([, =])", r"\1", text)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1, "float", "1"),
        (0.1, "float", "0.1"),
        (1.5e300, "float", "1.5e+300"),
        (2**63 - 1, "integer", f"{2**63 - 1}i"),
        (-3, "integer", "-3i"),
        (3, "unsigned", "3u"),
        (True, "boolean", "true"),
        (False, "boolean", "false"),
        ("", "string", '""'),
    ],
)
def test_each_type_is_written_as_what_it_is(value: Any, kind: str, text: str) -> None:
    assert list(lines("m", {}, ["time", "f"], [[1, value]], {"f": frozenset({kind})})) == [f"m f={text} 1\n"]


def test_a_field_that_was_an_integer_once_stays_a_float() -> None:
    kinds = {"f": frozenset({"float", "integer"})}

    assert list(lines("m", {}, ["time", "f"], [[1, 2]], kinds)) == ["m f=2 1\n"]


def test_absent_fields_and_rows_without_fields_are_left_out() -> None:
    rows = [[1, None, 2], [2, None, None], [3, "two\nlines", 1]]

    assert list(lines("m", {}, ["time", "a", "b"], rows, {})) == ["m b=2 1\n"]


@pytest.mark.parametrize(("name", "value"), [("#m", "v"), ("m", "ends with \\"), ("m", "two\nlines")])
def test_a_series_that_cannot_be_written_is_an_error(name: str, value: str) -> None:
    with pytest.raises(InexpressibleError):
        list(lines(name, {"tag": value}, ["time", "f"], [[1, 1]], {}))


def test_a_series_that_cannot_be_written_is_reported_and_the_others_are_there(
    influxdb: FakeInfluxdb, caplog: pytest.LogCaptureFixture
) -> None:
    influxdb.chunks = {
        "SELECT * FROM /.*/ ORDER": [chunk(one_series("up", [[TODAY, 1]]))],
        "SELECT * FROM /.*/ WHERE": [
            chunk(one_series("bad", [[TODAY, 1]], {"t": "\\"}), one_series("up", [[TODAY, 1], [TODAY + 1, None]]))
        ],
    }

    assert points(influxdb) == [f"up value=1 {TODAY}"]
    assert "a series of 'bad' is left out" in caplog.text
    assert "1 points of 'up' are left out" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        [chunk(one_series("up", [[TODAY, 1]]), partial=True), None],
        [chunk(one_series("up", [[TODAY, 1]]), partial=True)],
        [chunk(one_series("up", [[TODAY, 1]]), partial=True), {"results": [{"statement_id": 0, "error": "timeout"}]}],
        [chunk(one_series("up", [[TODAY, 1]]), partial=True), {"error": "engine is closed"}],
    ],
)
def test_an_answer_that_is_cut_short_is_an_error(influxdb: FakeInfluxdb, answer: list[Any]) -> None:
    influxdb.chunks = {
        "SELECT * FROM /.*/ ORDER": [chunk(one_series("up", [[TODAY, 1]]))],
        "SELECT * FROM /.*/ WHERE": answer,
    }

    with pytest.raises(InfluxdbError, match=r"InfluxDB 127\.0\.0\.1:\d+, database vms: "):
        points(influxdb)


def test_a_refused_user_is_reported(influxdb: FakeInfluxdb) -> None:
    influxdb.status, influxdb.error = 401, "authorization failed"

    with pytest.raises(InfluxdbError, match="status 401: authorization failed"):
        points(influxdb)
    with pytest.raises(InfluxdbError, match="status 401: authorization failed"):
        metrics.restore(influxdb.database, io.BytesIO(b"up value=1 1\n"))


def test_a_database_that_does_not_answer_is_reported(influxdb: FakeInfluxdb) -> None:
    influxdb.port = 1

    with pytest.raises(InfluxdbError, match=r"cannot be read: .*refused"):
        points(influxdb)
    with pytest.raises(InfluxdbError, match=r"cannot be written: .*refused"):
        metrics.restore(influxdb.database, io.BytesIO(b"up value=1 1\n"))


def test_points_are_written_back_in_batches(influxdb: FakeInfluxdb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BATCH", 3)
    content = b"".join(b"up value=%d %d\n" % (number, number) for number in range(7))

    assert metrics.restore(influxdb.database, io.BytesIO(b"# a comment\n" + content)) == (7, "")

    assert [part.count(b"\n") for part in influxdb.written] == [3, 3, 1]
    assert b"".join(influxdb.written) == content


def test_points_that_influxdb_drops_are_reported(influxdb: FakeInfluxdb) -> None:
    influxdb.status = 400
    influxdb.error = "partial write: points beyond retention policy dropped=1"

    count, said = metrics.restore(influxdb.database, io.BytesIO(b"up value=1 1\n"))

    assert count == 1
    assert said.endswith("partial write: points beyond retention policy dropped=1")


def test_half_a_line_is_no_point(influxdb: FakeInfluxdb) -> None:
    with pytest.raises(ArchiveError, match="cut short"):
        metrics.restore(influxdb.database, io.BytesIO(b"up value=1 1\nup value=12 1690000"))

    assert influxdb.written == []
