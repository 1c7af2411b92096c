"""Uploads and downloads by forms: what is stored, what is refused, and what stays unchanged."""

import base64
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Callable

import pytest
from client import BOUNDARY, FORM, MAX_TRANSFERS, Client, Response, file_form, text_form
from gunicorn.http.errors import InvalidChunkSize, NoMoreData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from file_transfer import app, metrics
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import StorageUnavailableError
from file_transfer.readiness import Readiness

MAX = 2**20
DIGEST_OF_NOTHING = f"sha-256=:{base64.b64encode(hashlib.sha256().digest()).decode()}:"


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\r\n--b0undar", bytes(range(256)) * 999], ids=["0", "1", "near", "big"]
)
def test_an_uploaded_file_can_be_downloaded(client: Client, content: bytes) -> None:
    sent = client.upload("file.bin", content)
    back = client.download("file.bin")

    assert sent.status == 201
    assert sent.text == f"file.bin {len(content)} bytes sha256:{hashlib.sha256(content).hexdigest()}\n"
    assert (back.status, back.body) == (200, content)
    assert back.headers["content-length"] == str(len(content))
    assert back.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'


def test_a_download_accepts_both_kinds_of_forms(client: Client) -> None:
    client.upload("a b é.txt", b"content")

    encoded = client.request("POST", "/download", b"name=a+b+%C3%A9.txt", "application/x-www-form-urlencoded")

    assert encoded.body == client.download("a b é.txt").body == b"content"


def test_the_response_is_json_if_the_request_accepts_it(client: Client) -> None:
    response = client.upload("x", b"abc", accept="application/json")

    assert json.loads(response.text)["sha256"] == hashlib.sha256(b"abc").hexdigest()
    assert json.loads(client.upload("", b"", accept="application/json").text)["error"].startswith("the name is empty")


def test_the_last_complete_version_wins(client: Client, catalogue: Catalogue) -> None:
    client.upload("name", b"first")
    client.upload("name", b"second")

    assert client.download("name").body == b"second"
    assert len(catalogue.page("", "", 1000)) == 1


def test_the_list_is_sorted_and_describes_each_file(client: Client) -> None:
    client.upload("b", b"22")
    client.upload("a", b"1")

    listed = json.loads(client.request("GET", "/files").text)

    assert [(file["name"], file["size"]) for file in listed] == [("a", 1), ("b", 2)]
    assert listed[0]["sha256"] == hashlib.sha256(b"1").hexdigest()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", ".", "a/b", "a\\b", "a\x00b", "a\x1fb", "n" * 300, ""])
def test_a_bad_name_is_refused_in_one_line(client: Client, catalogue: Catalogue, name: str) -> None:
    for response in (client.upload(name, b"content"), client.download(name)):
        assert response.status == 400
        assert response.text.startswith("error: ")
        assert response.text.count("\n") == 1
        assert response.text.isprintable() or response.text[:-1].isprintable()
    assert catalogue.page("", "", 1000) == []


def test_percent_encoding_in_form_names_is_decoded_like_curl_does(client: Client) -> None:
    client.upload("a%2Fb", b"slash")
    client.upload("a%22b", b"quote")  # curl writes a quote like this

    assert client.download("a%2Fb").body == b"slash"
    assert client.download('a"b').body == b"quote"


def test_a_download_keeps_its_name_and_is_never_executed(client: Client) -> None:
    client.upload("é <script>.html", b"<script>")

    response = client.download("é <script>.html")

    assert response.headers["content-disposition"] == (
        "attachment; filename=\"_ _script_.html\"; filename*=UTF-8''%C3%A9%20%3Cscript%3E.html"
    )
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (file_form("kept", b"new")[:-8], FORM, 400),
        (file_form("kept", b"new")[:80], FORM, 400),
        (file_form("kept", b"new", field="other"), FORM, 400),
        (text_form("file", "kept"), FORM, 400),
        (file_form("kept", b"new").replace(BOUNDARY.encode(), b"another"), FORM, 400),
        (b"", FORM, 400),
        (b"new", "application/octet-stream", 415),
        (b"new", "", 415),
        (file_form("kept", b"new"), "multipart/form-data", 415),
        (file_form("kept", b"x" * (MAX + 1)), FORM, 413),
        (file_form("kept", b"new")[:-4] + b"\r\n" + file_form("kept", b"newer"), FORM, 400),
        (b"".join(file_form(f"f{n}", b"")[: -len(BOUNDARY) - 8] + b"\r\n" for n in range(40)), FORM, 400),
    ],
    ids=[
        "no end",
        "cut",
        "other field",
        "no file",
        "boundary",
        "empty",
        "no form",
        "no type",
        "no boundary",
        "large",
        "two",
        "many",
    ],
)
def test_a_bad_upload_is_refused_and_changes_nothing(
    client: Client, catalogue: Catalogue, body: bytes, content_type: str, status: int
) -> None:
    client.upload("kept", b"old")

    response = client.request("POST", "/upload", body, content_type)

    assert response.status == status
    assert response.text.startswith("error: ")
    assert response.text.count("\n") == 1
    assert client.download("kept").body == b"old"
    assert len(catalogue.page("", "", 1000)) == 1


def test_a_body_shorter_than_declared_is_refused(client: Client, catalogue: Catalogue) -> None:
    body = file_form("short", b"content")

    assert client.request("POST", "/upload", body[:-20], FORM, length=len(body)).status == 400
    assert catalogue.page("", "", 1000) == []


def test_a_form_that_ends_before_its_declared_length_is_refused(client: Client, catalogue: Catalogue) -> None:
    body = file_form("short", b"content")

    response = client.request("POST", "/upload", body, FORM, length=len(body) + 1)

    assert (response.status, catalogue.page("", "", 1000)) == (400, [])
    assert response.text == f"error: the body is broken or cut short: received {len(body)} of {len(body) + 1} bytes\n"


@pytest.mark.parametrize("broken", [ConnectionResetError("reset"), NoMoreData(b""), InvalidChunkSize(b"zz")])
def test_a_client_that_disconnects_gets_the_blame(client: Client, catalogue: Catalogue, broken: Exception) -> None:
    class Body(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if not data:
                raise broken
            return data

    (status, _), _ = client.begin("POST", "/upload", Body(file_form("half", b"content")[:-9]), FORM, -1)

    assert (status[:3], catalogue.page("", "", 1000)) == ("400", [])


@pytest.mark.parametrize(
    ("body", "length", "status"),
    [(b"name=kep", 9, 400), (b"name=%FF", -1, 400), (b"name=\xff", -1, 400), (b"name=" + b"n" * 2**16, -1, 413)],
    ids=["cut", "no text", "no text, not encoded", "large"],
)
def test_a_bad_download_form_is_refused(client: Client, body: bytes, length: int, status: int) -> None:
    client.upload("kep", b"another file")

    response = client.request("POST", "/download", body, "application/x-www-form-urlencoded", length=length)

    assert (response.status, response.text[:7], response.text.count("\n")) == (status, "error: ", 1)


def test_one_transfer_too_many_is_refused_while_health_checks_work(client: Client) -> None:
    content = bytes(100_000)  # a small file is read into memory at once, and holds no slot while it is sent
    client.upload("file", content)
    asked = text_form("name", "file")
    running = [client.begin("POST", "/download", io.BytesIO(asked), FORM, len(asked))[1] for _ in range(MAX_TRANSFERS)]

    for refused in (client.download("file"), client.upload("other", b"content")):
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert client.request("GET", "/healthz").status == 200
    assert f"file_transfer_transfers {MAX_TRANSFERS}.0" in metrics.exposition().decode()

    for transfer in running:
        transfer.close()
    assert client.download("file").body == content


def test_refused_transfers_free_their_slots(client: Client) -> None:
    for _ in range(2 * MAX_TRANSFERS):
        assert client.download("unknown").status == 404
        assert client.upload("..", b"content").status == 400

    assert client.upload("file", b"content").status == 201


def test_a_draining_replica_is_not_ready_but_still_serves(catalogue: Catalogue) -> None:
    ending = Client(app.create(catalogue, max_transfers=1, readiness=Readiness(lambda: None, lambda: True)))

    assert (ending.request("GET", "/readyz").status, ending.request("GET", "/healthz").status) == (503, 200)
    assert ending.upload("late", b"content").status == 201


def test_a_replica_that_cannot_read_is_alive_but_not_ready(catalogue: Catalogue) -> None:
    def check_readable() -> None:
        raise StorageUnavailableError("the index: no PostgreSQL host answers")

    broken = Client(app.create(catalogue, max_transfers=1, readiness=Readiness(check_readable, lambda: False)))

    assert (broken.request("GET", "/readyz").status, broken.request("GET", "/healthz").status) == (503, 200)


def test_a_boundary_can_contain_capitals(client: Client) -> None:
    form = file_form("name", b"content").replace(BOUNDARY.encode(), b"----WebKitFormBoundaryX")

    assert (
        client.request("POST", "/upload", form, "multipart/form-data; boundary=----WebKitFormBoundaryX").status == 201
    )


def test_a_body_without_a_length_is_accepted(client: Client) -> None:
    assert client.upload("chunked", b"content", length=-1).status == 201
    assert client.download("chunked").body == b"content"


def test_an_unknown_name_gets_an_error_and_not_a_file(client: Client) -> None:
    response = client.download("nothing here")

    assert response.status == 404
    assert response.text == "error: no file is named 'nothing here'\n"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "content-disposition" not in response.headers


def test_unknown_paths_and_methods_get_one_line(client: Client) -> None:
    assert (client.request("GET", "/nowhere").status, client.request("GET", "/upload").status) == (404, 405)
    assert client.request("GET", "/nowhere").text == "error: not found\n"


def test_metrics_count_requests_and_bytes(client: Client) -> None:
    client.upload("counted", b"12345")

    text = metrics.exposition().decode()

    assert 'file_transfer_requests_total{method="POST",route="/upload",status="201"}' in text
    assert "file_transfer_received_bytes_total" in text


def refused_for(reason: str) -> float:
    found = re.search(rf'file_transfer_errors_total{{reason="{reason}"}} (\S+)', metrics.exposition().decode())
    return float(found[1]) if found else 0


def beyond_the_end(client: Client) -> Response:
    client.put("short", b"1")
    return client.get("short", range="bytes=9-")


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        ("unknown_file", lambda client: client.download("unknown")),
        ("name", lambda client: client.upload("..", b"content")),
        ("cut_short", lambda client: client.request("PUT", "/files/x", b"123", length=5)),
        ("digest", lambda client: client.request("PUT", "/files/x", b"123", repr_digest=DIGEST_OF_NOTHING)),
        ("precondition_failed", lambda client: client.request("PUT", "/files/x", b"123", if_match='"another"')),
        ("too_large", lambda client: client.request("PUT", "/files/x", b"", length=2**50)),
        ("unknown_upload", lambda client: client.request("HEAD", "/uploads/0", tus_resumable="1.0.0")),
        ("not_found", lambda client: client.request("GET", "/nowhere")),
        ("range", beyond_the_end),
    ],
)
def test_refusals_are_counted_by_reason(client: Client, reason: str, refused: Callable[[Client], Response]) -> None:
    before = refused_for(reason)

    assert refused(client).status >= 400

    assert refused_for(reason) == before + 1


def test_health_and_readiness_return_200(client: Client) -> None:
    assert client.request("GET", "/healthz").status == 200
    assert client.request("GET", "/readyz").status == 200


BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
GOOD_NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"), exclude_characters='/\\"%' + BLANK),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in (".", "..") and len(unicodedata.normalize("NFC", name).encode()) <= 255)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(name=GOOD_NAMES, content=st.binary(max_size=300))
def test_any_good_name_and_content_round_trip(client: Client, name: str, content: bytes) -> None:
    assert client.upload(name, content).status == 201
    assert client.download(name).body == content


def test_accents_can_be_composed_or_decomposed(client: Client) -> None:
    client.upload(unicodedata.normalize("NFD", "é"), b"content")

    assert client.download(unicodedata.normalize("NFC", "é")).body == b"content"
