"""What a browser may do here for the page of another site, and under another name of this service."""

from itertools import product

import pytest
from client import FORM, MAX_TRANSFERS, Client, file_form

from file_transfer import app
from file_transfer.browsers import Browsers
from file_transfer.catalogue import Catalogue

OURS = "192.168.50.2:5001"
APP = "https://app.example.org"
CHANGES = [
    ("POST", "/upload"),
    ("POST", "/download"),
    ("PUT", "/files/x"),
    ("DELETE", "/files/x"),
    ("POST", "/uploads"),
    ("PATCH", f"/uploads/{0:032}"),
    ("DELETE", f"/uploads/{0:032}"),
    ("POST", f"/uploads/{0:032}"),
]


@pytest.fixture
def backend() -> str:
    return "directory"  # the headers are checked before anything is stored


@pytest.fixture
def open_client(catalogue: Catalogue) -> Client:
    browsers = Browsers(hosts=frozenset({"files.example.org", "*.lab.example.org"}), origins=frozenset({APP}))
    return Client(app.create(catalogue, max_transfers=MAX_TRANSFERS, browsers=browsers))


def form(client: Client, **headers: str) -> int:
    return client.request("POST", "/upload", file_form("x", b"content"), FORM, **headers).status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://192.168.50.2:3000"},
        {"origin": "http://192.168.50.2"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": f"http://{OURS}"},
    ],
)
def test_the_page_of_another_site_changes_nothing(client: Client, headers: dict[str, str]) -> None:
    client.put("x", b"content")

    for method, path in CHANGES:
        refused = client.request(method, path, b"x", host=OURS, tus_resumable="1.0.0", **headers)
        assert (refused.status, client.get("x").body) == (403, b"content")
        assert "allowed_origins" in refused.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{OURS}"},
        {"origin": f"https://{OURS}"},
        {"origin": f"http://{OURS}", "sec_fetch_site": "same-origin"},
        {"origin": "null", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_the_page_itself_and_programs_that_are_no_browsers_upload(client: Client, headers: dict[str, str]) -> None:
    assert form(client, host=OURS, **headers) == 201


def test_a_link_on_another_site_leads_to_a_file(client: Client) -> None:
    client.put("x", b"content")

    found = client.get("x", host=OURS, sec_fetch_site="cross-site", sec_fetch_mode="navigate")

    assert (found.status, found.headers["cross-origin-resource-policy"]) == (200, "same-origin")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5001", "EVIL.example.", "a.files.example.org", "1.2.evil"]
)
def test_a_name_that_a_stranger_gave_to_our_address_is_refused(open_client: Client, host: str) -> None:
    for method, path in (*CHANGES, ("GET", "/files"), ("GET", "/"), ("HEAD", "/files/x")):
        headers = {"host": host, "origin": f"http://{host}", "sec_fetch_site": "same-origin"}
        assert open_client.request(method, path, b"x", **headers).status == 421


def test_addresses_names_without_a_dot_and_listed_names_are_ours(client: Client, open_client: Client) -> None:
    addresses = ["192.168.50.2:5001", "192.168.50.2", "127.1:8080", "[::1]:8080", "[fd00::2]"]
    listed = ["files.example.org:5001", "Files.Example.ORG", "files.example.org.", "a.lab.example.org:443"]

    for host in (*addresses, "localhost:8080", "master:6001", "MASTER", ""):
        assert form(client, host=host) == 201, host
    for host in listed:
        assert (form(client, host=host), form(open_client, host=host)) == (421, 201), host


def test_a_host_that_is_none_is_refused(client: Client) -> None:
    for host in ("a b@c", "user@evil.example", "[::1", "a/b", "x:y", "::1"):
        assert client.get("x", host=host).status == 400, host


def test_only_the_origins_that_are_listed_may_read_and_change(client: Client, open_client: Client) -> None:
    asked = {"host": OURS, "access_control_request_method": "PATCH", "origin": APP, "sec_fetch_site": "cross-site"}

    for path in ("/upload", "/files/x", "/uploads", f"/uploads/{0:032}"):
        allowed = open_client.request("OPTIONS", path, **asked)
        assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (204, APP)
        assert "PATCH" in allowed.headers["access-control-allow-methods"]
        for header in ("Authorization", "Tus-Resumable", "Upload-Offset", "Upload-Metadata"):
            assert header in allowed.headers["access-control-allow-headers"].split(", ")
        for refused in (
            client.request("OPTIONS", path, **asked),
            open_client.request("OPTIONS", path, **{**asked, "origin": "https://evil.example"}),
        ):
            assert [name for name in refused.headers if name.startswith("access-control")] == []
    assert form(open_client, host=OURS, origin=APP, sec_fetch_site="cross-site") == 201
    assert form(client, host=OURS, origin=APP, sec_fetch_site="cross-site") == 403


def test_a_page_of_a_listed_origin_may_read_every_response(open_client: Client) -> None:
    for path in ("/files", "/nowhere", "/files/%ff", "/uploads"):
        for_it = open_client.request("GET", path, origin=APP).headers
        for_others = open_client.request("GET", path).headers

        assert for_it["access-control-allow-origin"] == APP
        assert {"Location", "Upload-Offset", "ETag"} <= set(for_it["access-control-expose-headers"].split(", "))
        assert "access-control-allow-origin" not in for_others
        assert for_it["vary"] == for_others["vary"] == "Origin"


def test_every_response_tells_browsers_to_be_careful(client: Client) -> None:
    client.put("x", b"<script>")
    paths = ("/", "/page.js", "/files", "/files/x", "/files/y", "/nowhere", "/files/%ff", "/uploads", "/openapi.json")

    for path, host in product(paths, ("", "evil.example")):
        found = client.request("GET", path, host=host).headers
        assert found["x-content-type-options"] == "nosniff", path
        assert found["cross-origin-resource-policy"] == "same-origin", path
        assert found["referrer-policy"] == "no-referrer", path
        assert "frame-ancestors 'none'" in found["content-security-policy"], path


@pytest.mark.parametrize("name", ["x.html", "x.svg"])
def test_a_file_is_saved_and_never_shown(client: Client, name: str) -> None:
    client.put(name, b"<svg onload=alert(1)>", content_type="text/html")

    for found in (client.get(name), client.download(name), client.get(name, range="bytes=0-3")):
        assert found.headers["content-type"] == "application/octet-stream"
        assert found.headers["content-disposition"].startswith("attachment; ")
        assert found.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in found.headers["content-security-policy"]


def test_the_web_page_runs_no_code_but_its_own(client: Client) -> None:
    policy = client.request("GET", "/").headers["content-security-policy"]

    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
