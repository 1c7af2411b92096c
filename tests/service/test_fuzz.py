"""Arbitrary forms, headers, paths and queries get a one-line response, never a fault, and store nothing in part."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from catalogues import catalogue_in
from client import BOUNDARY, FORM, MAX_TRANSFERS, Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from file_transfer import app

BOUNDED = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

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
        b'Content-Disposition: form-data; name="name"',
        b'Content-Disposition: form-data; name="ttl"',
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
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"])
TUS_CONTENT = "application/offset+octet-stream"
DIGITS = "9" * 5000
HEADER_TEXT = st.text(st.characters(max_codepoint=255, exclude_categories=("Cc",)), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["range", "if_range", "if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "repr_digest",
         "content_digest", "accept", "authorization", "upload_length", "upload_offset", "upload_metadata",
         "upload_checksum", "x_http_method_override"]
    ),
    HEADER_TEXT
    | st.sampled_from(["bytes=0-", "bytes=-1", "*", '"x"', "0", "3", "filename eA==", "sha1 AAAA", "sha1 é", "PATCH",
                       DIGITS, f"bytes={DIGITS}-", f"bytes=-{DIGITS}", f"Mon, 01 Jan {DIGITS[:20]} 00:00:00 GMT",
                       f"filename eA==,ttl {DIGITS}", "filename eA==,expires OTk5OS0xMi0zMVQyMzo1OTo1OS0yMzo1OQ=="]),
    max_size=5,
)  # fmt: skip
PATHS = st.lists(
    st.sampled_from(["/", "/files", "/files/", "/uploads", "/uploads/", "/upload", "..", ".", "x", "%2e", "%2F", "%5C",
                     "%00", "%0A", "%FF", "%C3", "%C3%A9", "%E2%80%A8", "%", "%25", "ID", "#", ";", "n" * 300]),
    max_size=4,
).map("".join)  # fmt: skip
QUERIES = st.lists(
    st.sampled_from(["ttl=", "expires=", "max-downloads=", "prefix=", "after=", "limit=", "tll=", "&", "&", "=", "1",
                     "h", DIGITS, "9999-12-31T23:59:59", "-23:59", "0001-01-01", "+23:59", "T", "%00", "%FF", "%C3%A9",
                     "%20", "e%CC%81", "+", ";", "%"]),
    max_size=5,
).map("".join)  # fmt: skip


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
    method=METHODS,
    path=st.sampled_from(["/files/x", "/files", "/uploads", "/uploads/x", "/uploads/ID", "/download"]),
    headers=HEADERS,
    body=st.binary(max_size=20),
)
@example(method="GET", path="/files/x", headers={"range": f"bytes={DIGITS}-"}, body=b"")
@example(method="PATCH", path="/uploads/ID", headers={"upload_checksum": "sha1 é"}, body=b"abc")
def test_any_headers_get_a_response(
    fuzzed: Client, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    fuzzed.put("x", b"abc")

    response = fuzzed.request(
        method,
        with_upload(fuzzed, path),
        body,
        TUS_CONTENT,
        **{"tus_resumable": "1.0.0", "upload_offset": "0", **headers},
    )

    assert response.status < 500, (method, path, headers, body)
    assert fuzzed.get("x").status in (200, 404)


@BOUNDED
@given(method=METHODS, path=PATHS, query=QUERIES, length=st.sampled_from([None, DIGITS, "9" * 19, "x", "-2", "²"]))
@example(method="HEAD", path="/uploads/..", query="", length=None)
@example(method="GET", path="/files/%FF", query="", length=None)
@example(method="PUT", path="/files/x", query=f"max-downloads=1{DIGITS}", length=None)
@example(method="PUT", path="/files/x", query="expires=9999-12-31T23:59:59-23:59", length=None)
def test_any_path_and_query_get_a_response(fuzzed: Client, method: str, path: str, query: str, length: Any) -> None:
    response = fuzzed.request(
        method, f"{with_upload(fuzzed, path)}?{query}", b"abc", TUS_CONTENT, length=length, tus_resumable="1.0.0"
    )

    assert response.status < 500, (method, path, query, length)
    if response.status >= 400 and method != "HEAD":
        assert response.text.startswith("error: ")
        assert response.text.count("\n") == 1
    for file in json.loads(fuzzed.request("GET", "/files").text):
        assert fuzzed.request("DELETE", f"/files/{quote(file['name'])}").status == 204


def with_upload(client: Client, path: str) -> str:
    """Replace ID by the identifier of an upload that has just been created."""
    if "ID" not in path:
        return path
    created = client.request(
        "POST", "/uploads", tus_resumable="1.0.0", upload_length="5", upload_metadata="filename eA=="
    )
    return path.replace("ID", created.headers["location"].removeprefix("/uploads/"))
