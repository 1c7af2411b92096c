"""Arbitrary forms and headers: they get a one-line response, never a fault, and nothing is stored in part."""

from pathlib import Path

import pytest
from catalogues import catalogue_in
from client import BOUNDARY, FORM, MAX_TRANSFERS, Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from file_transfer import app

BOUNDED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

MARK = f"--{BOUNDARY}".encode()
FRAGMENTS = st.sampled_from(
    [
        MARK,
        MARK + b"--",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b'Content-Disposition: form-data; name="file"; filename="x"',
        b'Content-Disposition: form-data; name="file"; filename="../x"',
        b'Content-Disposition: form-data; name="sha256"',
        b"Content-Disposition: form-data; name=file; filename*=UTF-8''%E2%82%AC",
        b"Content-Type: text/plain; charset=\xff",
        b"Content-Transfer-Encoding: base64",
        b": no name",
        b"content",
        b"--",
        b"\x00",
    ]
)
BODIES = st.lists(FRAGMENTS | st.binary(max_size=8), max_size=14).map(b"".join)
HEADER_TEXT = st.text(st.characters(max_codepoint=255, exclude_categories=("Cc",)), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["range", "if_range", "if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "repr_digest",
         "content_digest", "accept", "authorization", "upload_length", "upload_offset", "upload_metadata",
         "upload_checksum", "x_http_method_override"]
    ),
    HEADER_TEXT
    | st.sampled_from(["bytes=0-", "bytes=-1", "*", '"x"', "0", "3", "filename eA==", "sha1 AAAA", "PATCH"]),
    max_size=5,
)  # fmt: skip


@pytest.fixture
def fuzzed(tmp_path: Path) -> Client:
    return Client(app.create(catalogue_in(tmp_path, max_file=1000), max_transfers=MAX_TRANSFERS))


@BOUNDED
@given(body=BODIES, declared=st.none() | st.integers(-1, 400))
@example(
    body=MARK + b'\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nc\r\n' + MARK + b"--",
    declared=None,
)
def test_any_form_is_stored_completely_or_refused_in_one_line(
    fuzzed: Client, body: bytes, declared: int | None
) -> None:
    fuzzed.request("DELETE", "/files/x")

    for path in ("/upload", "/download"):
        response = fuzzed.request("POST", path, body, FORM, length=declared)

        assert response.status < 500
        if response.status >= 400:
            assert response.text.startswith("error: ")
            assert response.text.count("\n") == 1
        if path == "/upload" and response.status >= 400:
            assert fuzzed.get("x").status == 404


@BOUNDED
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"]),
    path=st.sampled_from(["/files/x", "/files", "/uploads", "/uploads/x", "/download"]),
    headers=HEADERS,
    body=st.binary(max_size=20),
)
def test_any_headers_get_a_response(
    fuzzed: Client, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    fuzzed.put("x", b"abc")

    response = fuzzed.request(method, path, body, **{"tus_resumable": "1.0.0", **headers})

    assert response.status < 500, (method, path, headers, body)
    assert fuzzed.get("x").status in (200, 404)
