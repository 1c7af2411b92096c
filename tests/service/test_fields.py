"""Unknown, repeated and empty fields of queries and forms: each is refused, and the error says which ones are valid."""

import hashlib

import pytest
from client import BOUNDARY, FORM, Client, text_form

from file_transfer.catalogue import Catalogue

SHA256 = hashlib.sha256(b"content").hexdigest()
URLENCODED = "application/x-www-form-urlencoded"
LIFETIME = "ttl, expires, max-downloads"


def form(*parts: tuple[str, str]) -> bytes:
    """A form with these fields; "file" is a file named x."""
    bodies = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{"; filename=x" if name == "file" else ""}'
        f"\r\n\r\n{value}\r\n"
        for name, value in parts
    ]
    return "".join([*bodies, f"--{BOUNDARY}--\r\n"]).encode()


@pytest.mark.parametrize(
    ("method", "path", "remedy"),
    [
        ("PUT", "/files/x", f"it can have {LIFETIME}"),
        ("POST", "/upload", f"it can have {LIFETIME}"),
        ("GET", "/files", "it can have prefix, after, limit"),
        ("GET", "/files/x", "this request takes none"),
        ("HEAD", "/files/x", ""),
        ("DELETE", "/files/x", "this request takes none"),
        ("POST", "/download", "this request takes none"),
        ("OPTIONS", "/uploads", "this request takes none"),
        ("POST", "/uploads", "this request takes none"),
        ("PATCH", f"/uploads/{0:032}", "this request takes none"),
        ("HEAD", f"/uploads/{0:032}", ""),
        ("DELETE", f"/uploads/{0:032}", "this request takes none"),
        ("GET", "/", "this request takes none"),
        ("GET", "/openapi.json", "this request takes none"),
        ("GET", "/healthz", "this request takes none"),
        ("GET", "/readyz", "this request takes none"),
    ],
)
@pytest.mark.parametrize("query", ["tll=1h", "tll", "tll=", "%74ll=1h"])
def test_an_unknown_query_field_is_refused_on_every_route(
    client: Client, method: str, path: str, remedy: str, query: str
) -> None:
    body, kind = {"/upload": (form(("file", "content")), FORM), "/download": (text_form("name", "x"), FORM)}.get(
        path, (b"", "")
    )
    client.put("x", b"old")

    response = client.request(method, f"{path}?{query}", body, kind, tus_resumable="1.0.0", upload_length="1")

    assert response.status == 400
    if remedy:
        assert response.text == f"error: the query has an unknown field 'tll': {remedy}\n"
    assert client.get("x").body == b"old"


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/files/x?ttl=1h&ttl=2h"), ("POST", "/upload?ttl=1h&ttl=1h"), ("GET", "/files?a&a")]
)
def test_a_repeated_query_field_is_refused(client: Client, catalogue: Catalogue, method: str, path: str) -> None:
    path = path.replace("a&a", "prefix=a&prefix=b")

    response = client.request(method, path, form(("file", "content")), FORM)

    field = "prefix" if method == "GET" else "ttl"
    assert (response.status, response.text) == (400, f"error: the query has the field {field} twice: send it once\n")
    assert catalogue.page("", "", 1000) == []


@pytest.mark.parametrize("field", ["ttl", "expires", "max-downloads"])
def test_an_empty_lifetime_does_not_keep_a_file_for_ever(client: Client, field: str) -> None:
    response = client.request("PUT", f"/files/x?{field}=", b"content")

    assert response.status == 400
    assert response.text.startswith(f"error: {field} is '': ")
    assert client.get("x").status == 404


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (
            [("file", "content"), ("comment", "mine")],
            "the form has an unknown field 'comment': it can have file, sha256",
        ),
        ([("sha265", SHA256), ("file", "content")], "the form has an unknown field 'sha265': it can have file, sha256"),
        ([("", ""), ("file", "content")], "the form has an unknown field '': it can have file, sha256"),
        ([("ttl", "1h"), ("file", "content")], "ttl is a field of the form: put it into the query, /upload?ttl="),
        (
            [("sha256", SHA256), ("sha256", SHA256), ("file", "content")],
            'the form has two fields "sha256" before one file: send one of them',
        ),
        ([("sha256", ""), ("file", "content")], "sha256 is invalid: send 64 hexadecimal digits"),
    ],
)
def test_an_upload_with_an_unknown_or_ambiguous_form_field_is_refused(
    client: Client, catalogue: Catalogue, parts: list[tuple[str, str]], error: str
) -> None:
    response = client.request("POST", "/upload", form(*parts), FORM)

    assert (response.status, response.text) == (400, f"error: {error}\n")
    assert catalogue.page("", "", 1000) == []


def test_a_form_has_one_digest_before_each_of_its_files(client: Client) -> None:
    other = form(("sha256", SHA256), ("file", "content")).replace(b"filename=x", b"filename=y")
    both = form(("sha256", SHA256), ("file", "content")).removesuffix(f"--{BOUNDARY}--\r\n".encode()) + other

    assert client.request("POST", "/upload", both, FORM).status == 201


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"name=x&nmae=y", URLENCODED, "the form has an unknown field 'nmae': it can have name"),
        (b"name=x&name=y", URLENCODED, "the form has the field name twice: send it once"),
        (form(("name", "x"), ("as", "y")), FORM, "the form has an unknown field 'as': it can have name"),
        (form(("name", "x"), ("name", "x")), FORM, "the form has the field name twice: send it once"),
    ],
)
def test_a_download_with_an_unknown_or_repeated_form_field_is_refused(
    client: Client, body: bytes, kind: str, error: str
) -> None:
    client.put("x", b"content")

    response = client.request("POST", "/download", body, kind)

    assert (response.status, response.text) == (400, f"error: {error}\n")


def test_an_unknown_field_cannot_break_the_line_of_the_error(client: Client) -> None:
    response = client.request("GET", f"/files?{'%0A%1B[31m' * 1000}=1")

    assert (response.status, response.text.count("\n")) == (400, 1)
    assert response.text[:-1].isprintable()
    assert len(response.text) < 3000
