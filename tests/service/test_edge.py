"""The edge as clients see it: one that takes more than its share is refused, and nobody else notices."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from loopback_edge import ATTACKER, PASSWORD, Edge, edge, open_ones, received, statuses
from running import Server, free_ports, serving, wait_until

from components.edge_config import Limits

SECONDS = 2
"""How long others may wait for their response."""

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, server: Server, program: Callable[[str], str]) -> Iterator[Edge]:
    """The edge with its default limits."""
    with edge(tmp_path_factory.mktemp("edge"), program, server) as running:
        yield running


def get(path: str, *more: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *more, "", ""]).encode()


def test_idle_connections_of_one_address_do_not_take_those_of_others(front: Edge) -> None:
    with front.many(10_000, b"") as opened:
        assert requests.get(f"{front.url}/files", timeout=SECONDS).status_code == 200
        assert front.is_healthy()
        wait_until(lambda: 0 < open_ones(opened) <= Limits.connections)


def test_slow_headers_of_one_address_do_not_take_the_connections_of_others(front: Edge) -> None:
    with front.many(4096, b"GET / HTTP/1.1\r\nHost: x\r\nX: ") as opened:
        assert requests.get(f"{front.url}/files", timeout=SECONDS).status_code == 200
        assert front.is_healthy()
        wait_until(lambda: 0 < open_ones(opened) <= Limits.connections)


def test_the_container_is_healthy_while_all_public_connections_are_taken(front: Edge) -> None:
    with front.many(4200, b"GET / HTTP/1.1\r\nHost: x\r\nX: ", *(f"127.0.0.{last}" for last in range(2, 22))):
        with pytest.raises(requests.Timeout):
            requests.get(f"{front.url}/files", timeout=1)

        assert front.is_healthy()


def test_an_office_behind_one_address_and_a_benchmark_are_not_refused(front: Edge) -> None:
    # An address of its own: the edge may still be closing the connections of other tests.
    with front.many(40 * 6, get("/healthz"), "127.0.0.100") as browsers:
        assert [connection.recv(12) for connection in browsers] == [b"HTTP/1.1 200"] * 240

    def ask(_: int) -> set[int]:
        with requests.Session() as session:
            return {session.get(f"{front.url}/healthz", timeout=30).status_code for _ in range(10)}

    with ThreadPoolExecutor(64) as pool:
        assert set().union(*pool.map(ask, range(64))) == {200}


def test_a_form_reaches_a_replica_only_once_it_has_come(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    form = f"POST /download HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\nContent-Type: {FORM}\r\n\r\nn".encode()
    body = b"GET /files HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nn"
    short = {"wait-for-body time 10s": "wait-for-body time 1s"}
    with (
        edge(tmp_path, program, server, replaced=short) as front,
        front.many(120, form) as forms,
        front.many(10, body, "127.0.0.3") as bodies,
    ):
        assert requests.get(f"{front.url}/files", timeout=SECONDS).status_code == 200
        assert server.running_transfers() == 0
        assert {tuple(statuses(received(connection))) for connection in (*forms, *bodies)} == {(408,)}


def test_an_address_with_too_many_requests_is_refused_and_no_other(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    with edge(tmp_path, program, server, limits=Limits(requests=50)) as front:
        asked = get("/healthz") * 60 + get("/healthz", "Connection: close")

        assert front.answers(asked).count(429) == 11
        assert front.answers(get("/healthz", "Connection: close"), "127.0.0.3") == [200]


def test_an_address_that_keeps_being_refused_is_refused_by_the_edge(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    with edge(tmp_path, program, server, limits=Limits(errors=20)) as front:
        found = front.answers(get("/files/unknown") * 30 + get("/healthz", "Connection: close"))

        assert found[:20] == [404] * 20
        assert found[-9:] == [429] * 9
        assert front.answers(get("/healthz", "Connection: close"), "127.0.0.3") == [200]


def test_the_password_of_the_operator_cannot_be_guessed_quickly(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    with edge(tmp_path, program, server, limits=Limits(errors=20)) as front:
        url = f"http://127.0.0.1:{front.statistics_port}/"
        found = [requests.get(url, auth=("operator", f"guess {n}"), timeout=10).status_code for n in range(40)]

        assert found[:20] == [401] * 20
        assert set(found[25:]) == {429}


@pytest.mark.parametrize(
    "path",
    ["/edge", "/edge;csv", "/edgeX", "/metrics", "/%6detrics", "/met%ffrics", "/%65dge", "//metrics", "/x/../metrics"],
)
def test_no_path_leads_to_the_statistics_or_the_metrics(front: Edge, path: str) -> None:
    (status,) = front.answers(get(path, "Connection: close"))

    assert status in (400, 404)


def test_the_statistics_are_for_the_operator(front: Edge) -> None:
    url = f"http://127.0.0.1:{front.statistics_port}/;csv"

    assert requests.get(url, timeout=10).status_code == 401
    assert requests.get(url, auth=("operator", "a wrong password"), timeout=10).status_code == 401
    assert "replicas,replica," in requests.get(url, auth=("operator", PASSWORD), timeout=10).text


def test_of_a_database_only_what_reads_and_writes_is_public(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    """The file service stands for the database here: it answers 404 in its own words."""
    (port,) = free_ports(1)
    target = f"127.0.0.1:{server.port}"
    known = {f"server database {target} resolvers docker init-addr none": f"server database {target}"}
    with edge(tmp_path, program, server, databases={port: target}, replaced=known):
        for path in ("/query", "/write", "/ping", "/query?db=vms"):
            passed_on = requests.post(f"http://127.0.0.1:{port}{path}", timeout=10)
            assert (passed_on.status_code, passed_on.text) == (404, "error: not found\n"), path
        for path in ("/", "/metrics", "/debug/vars", "/debug/pprof/heap", "/query/", "/Query", "//ping"):
            refused = requests.get(f"http://127.0.0.1:{port}{path}", timeout=10)
            assert (refused.status_code, refused.text) == (404, "error: this path is not public\n"), path


def test_every_response_of_the_edge_and_through_it_tells_browsers_to_be_careful(front: Edge) -> None:
    too_large = {"Content-Length": str(2**40)}
    with requests.Session() as session:
        asked = [requests.Request("GET", front.url + path) for path in ("/", "/files", "/nowhere", "/files/unknown")]
        asked += [requests.Request("GET", f"{front.url}/%41"), requests.Request("PUT", f"{front.url}/files/x")]
        prepared = [session.prepare_request(request) for request in asked]
        prepared[-2].url = f"{front.url}/%41"
        prepared[-1].headers.update(too_large)
        found = [session.send(request, timeout=10) for request in prepared]
    console = requests.get(f"http://127.0.0.1:{front.statistics_port}/", timeout=10)

    assert [response.status_code for response in found] == [200, 200, 404, 404, 400, 413]
    for response in found:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Content-Security-Policy"].count("frame-ancestors 'none'") == 1
        assert "Strict-Transport-Security" not in response.headers
    assert (console.status_code, console.headers["X-Frame-Options"]) == (401, "SAMEORIGIN")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://HOST"}, True),
        ({"Origin": "https://HOST", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://127.0.0.1"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
    ],
)
def test_a_console_takes_no_change_from_the_page_of_another_site(
    front: Edge, headers: dict[str, str], allowed: bool
) -> None:
    host = f"127.0.0.1:{front.statistics_port}"
    sent = {name: value.replace("HOST", host) for name, value in headers.items()}

    for method in ("POST", "DELETE"):
        found = requests.request(method, f"http://{host}/", auth=("operator", PASSWORD), headers=sent, timeout=10)
        assert ("another page has sent this" not in found.text) is allowed
    assert requests.get(f"http://{host}/", auth=("operator", PASSWORD), headers=sent, timeout=10).status_code == 200


@pytest.mark.parametrize("name", ["a b", "é", "50%", "%41", "a;b?c#d", "..a", "~!$&'()*+,=:@", "日本", "a%2Fb"])
def test_the_edge_leaves_names_of_files_as_they_are(front: Edge, name: str) -> None:
    for safe in ("", "~!$&'()*+,=:@;"):
        url = f"{front.url}/files/{quote(name, safe=safe)}"
        assert requests.put(url, data=name.encode(), timeout=10).status_code in (200, 201)
        assert requests.get(url, timeout=10).content == name.encode()

    assert name in [file["name"] for file in requests.get(f"{front.url}/files", timeout=10).json()]


def test_a_client_that_sends_its_whole_body_first_is_told_by_the_edge_why_it_was_refused(front: Edge) -> None:
    size = 12 * 2**20
    with front.connect() as connection:
        head = f"PUT /files/x?unknown=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode() + bytes(size))

        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_client_cannot_choose_its_address_or_the_number_of_its_request(front: Edge, server: Server) -> None:
    forged = ("X-Forwarded-For: 10.9.9.9", "X-Request-ID: forged", "Connection: close")

    assert front.answers(get("/files/logged", *forged)) == [404]

    wait_until(lambda: "/files/logged" in server.log.read_text())
    (line,) = [line for line in server.log.read_text().splitlines() if "/files/logged" in line]
    logged = json.loads(line)
    assert logged["client"] == ATTACKER
    assert re.fullmatch(r"[0-9a-f-]{36}", logged["request"])


@pytest.mark.slow
def test_uploads_that_stop_are_cut_and_others_go_on(tmp_path: Path, program: Callable[[str], str]) -> None:
    with (
        serving(tmp_path, WORKERS="1", PACE_SECONDS="2") as server,
        edge(tmp_path, program, server) as front,
        front.many(50, b"PUT /files/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n1", ATTACKER) as slow,
    ):
        wait_until(lambda: server.running_transfers() == 45)  # three quarters of one worker's slots
        assert requests.put(f"{front.url}/files/y", data=b"content", timeout=SECONDS).status_code == 201
        assert requests.get(f"{front.url}/files/y", timeout=SECONDS).content == b"content"

        found = Counter(connection.recv(12) for connection in slow)
        assert found == {b"HTTP/1.1 408": 45, b"HTTP/1.1 503": 5}
        wait_until(lambda: server.running_transfers() == 0)


def test_the_kernel_moves_large_bodies_from_one_connection_to_the_other(
    tmp_path: Path, server: Server, program: Callable[[str], str]
) -> None:
    content = bytes(64 * 2**20)
    with edge(tmp_path, program, server) as unused:
        before = pipes(unused)

        assert requests.put(f"{unused.url}/files/moved", data=content, timeout=60).status_code == 201
        assert requests.get(f"{unused.url}/files/moved", timeout=60).content == content

        assert before < pipes(unused)


def pipes(front: Edge) -> int:
    """Return how many pipes HAProxy has. It keeps those that it used."""
    opened = Path(f"/proc/{front.process.pid}/fd").iterdir()
    return sum(str(entry.readlink()).startswith("pipe:") for entry in opened)
