"""Malformed requests: text that is not UTF-8, absurd numbers and dates, paths. Each gets an answer, never a fault."""

import json
import unicodedata

import pytest
from client import BOUNDARY, FORM, Client, text_form

DIGITS = "9" * 5000
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))


def listed(client: Client, query: str) -> list[str]:
    return [file["name"] for file in json.loads(client.request("GET", f"/files?{query}").text)]


def percent_encoded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize("accent", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
def test_a_list_finds_names_however_their_accents_are_written(client: Client, accent: str) -> None:
    for name in ("e", "e1", f"{COMPOSED}1", f"{DECOMPOSED}2", "f"):
        client.put(name, b"")

    assert listed(client, f"prefix={percent_encoded(accent)}") == [f"{COMPOSED}1", f"{COMPOSED}2"]
    assert listed(client, f"after={percent_encoded(accent + '1')}") == [f"{COMPOSED}2"]


@pytest.mark.parametrize("field", ["prefix", "after"])
def test_a_list_takes_no_control_characters(client: Client, field: str) -> None:
    response = client.request("GET", f"/files?{field}=a%00b")

    assert (response.status, response.text) == (
        400,
        f"error: {field} is 'a\\x00b', which contains control characters: remove them\n",
    )


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("path", ["/files/a%FFb", "/files/%ff", "/files/a%C3", "/files/a%ED%A0%80b"])
def test_a_path_that_is_not_utf_8_is_refused_and_not_mended(client: Client, method: str, path: str) -> None:
    client.put("ab", b"another file")
    client.put("a", b"another file")

    response = client.request(method, path)

    assert response.status == 400
    assert method == "HEAD" or response.text == "error: the path is not valid UTF-8\n"
    assert client.get("ab").body == client.get("a").body == b"another file"


@pytest.mark.parametrize("path", ["/files?prefix=%FF", "/files?%FF=1", "/files/x?ttl=%C3"])
def test_a_query_that_is_not_utf_8_is_refused(client: Client, path: str) -> None:
    response = client.request("PUT" if "ttl" in path else "GET", path)

    assert (response.status, response.text) == (400, "error: the query is not valid UTF-8\n")


@pytest.mark.parametrize(
    ("range_header", "status"),
    [
        (f"bytes={DIGITS}-", 416),
        (f"bytes={DIGITS}-{DIGITS}", 416),
        (f"bytes=0-{DIGITS}", 206),
        (f"bytes=-{DIGITS}", 206),
        (f"bytes={'0' * 5000}-{'0' * 5000}", 206),
        (f"bytes={'9' * 19}-{'9' * 20}", 416),
    ],
)
def test_a_range_can_have_any_number_of_digits(client: Client, range_header: str, status: int) -> None:
    client.put("x", b"abc")

    response = client.get("x", range=range_header)

    assert response.status == status
    assert response.headers["content-range"].startswith("bytes */3" if status == 416 else "bytes 0-")


@pytest.mark.parametrize(
    "number", [DIGITS, f"00000000005{'0' * 5000}", f"1{'0' * 4290}", "-1", "+1", "1_0", " 1", "0x1", "٣", "1.0", "²"]
)
@pytest.mark.parametrize("field", ["ttl", "max-downloads", "limit"])
def test_a_query_with_a_number_that_is_none_is_refused(client: Client, field: str, number: str) -> None:
    path = "/files" if field == "limit" else "/files/x"

    response = client.request("GET" if field == "limit" else "PUT", f"{path}?{field}={percent_encoded(number)}")

    assert response.status == 400
    assert response.text.startswith(f"error: {field} ")
    assert len(response.text) < 200


@pytest.mark.parametrize("number", [DIGITS, f"1{'0' * 4290}", "-1", "+1", "1_0", "x"])
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("PUT", "/files/x", ""),
        ("POST", "/upload", FORM),
        ("POST", "/download", FORM),
        ("POST", "/uploads", "application/offset+octet-stream"),
        ("PATCH", "/uploads/ID", "application/offset+octet-stream"),
    ],
)
def test_a_content_length_that_is_none_is_refused(
    client: Client, method: str, path: str, kind: str, number: str
) -> None:
    path = path.replace("/uploads/ID", created_path(client))

    response = client.request(
        method,
        path,
        text_form("name", "x"),
        kind,
        length=number,  # type: ignore[arg-type] # as a client would send it
        tus_resumable="1.0.0",
        upload_length="9",
        upload_offset="0",
        upload_metadata="filename eA==",
    )

    assert response.status == 400
    assert response.text.startswith("error: Content-Length is")


@pytest.mark.parametrize("number", [DIGITS, f"1{'0' * 4290}", "-1", "1_0", ""])
def test_a_tus_size_or_offset_that_is_none_is_refused(client: Client, number: str) -> None:
    tus = {"tus_resumable": "1.0.0", "upload_metadata": "filename eA=="}
    path = created_path(client)

    created = client.request("POST", "/uploads", upload_length=number, **tus)
    appended = client.request("PATCH", path, b"x", "application/offset+octet-stream", upload_offset=number, **tus)

    assert created.status == 400
    assert created.text.startswith("error: Upload-Length is ")
    assert appended.status == 400
    assert appended.text.startswith("error: Upload-Offset is ")


@pytest.mark.parametrize(
    "expires", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", f"{DIGITS}-01-01", "2030-01-01T\ud7ff"]
)
def test_an_expiry_outside_of_the_calendar_is_refused(client: Client, expires: str) -> None:
    response = client.request("PUT", f"/files/x?expires={percent_encoded(expires)}", b"content")

    assert response.status == 400
    assert response.text.startswith("error: expires is")
    assert client.get("x").status == 404


def test_the_last_moment_of_the_calendar_is_a_valid_expiry(client: Client) -> None:
    assert client.request("PUT", "/files/x?expires=9999-12-31T23:59:59Z", b"content").status == 201
    assert client.get("x").body == b"content"


@pytest.mark.parametrize(
    "date",
    [
        f"Mon, 01 Jan {DIGITS} 00:00:00 GMT",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999",
        "Mon, 01 Jan 2024 99:99:99 GMT",
        "Mon, 31 Dec 9999 23:59:59 -2359",
        ",",
        "\xff",
    ],
)
@pytest.mark.parametrize("header", ["if_modified_since", "if_unmodified_since", "if_range"])
def test_an_invalid_date_is_ignored(client: Client, header: str, date: str) -> None:
    client.put("x", b"abc")

    assert client.get("x", range="bytes=0-0", **{header: date}).status in (200, 206, 304)


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "%2E", "..%00", "x", f"{0:033}", f"{0:032}".replace("0", "A")])
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE", "POST"])
def test_an_upload_that_cannot_exist_is_unknown(client: Client, method: str, name: str) -> None:
    response = client.request(
        method,
        f"/uploads/{name}",
        b"x",
        "application/offset+octet-stream",
        tus_resumable="1.0.0",
        upload_offset="0",
        x_http_method_override="DELETE",
    )

    assert response.status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "%2E%2E", "..%2f..", "%00", "a%5Cb"])
def test_a_path_is_no_name_of_a_file(client: Client, method: str, name: str) -> None:
    assert client.request(method, f"/files/{name}").status == 400


def test_a_checksum_that_is_not_ascii_is_refused(client: Client) -> None:
    response = client.request(
        "PATCH",
        created_path(client),
        b"x",
        "application/offset+octet-stream",
        tus_resumable="1.0.0",
        upload_offset="0",
        upload_checksum="sha1 é",
    )

    assert response.status == 400
    assert response.text.startswith("error: Upload-Checksum is invalid: ")


@pytest.mark.parametrize("disposition", ['name="\xff"', "name=file; filename=\xff", "", "attachment; name=x"])
def test_a_form_part_without_a_valid_name_is_refused(client: Client, disposition: str) -> None:
    kind = disposition if "attachment" in disposition else f"form-data; {disposition}"
    part = f"--{BOUNDARY}\r\nContent-Disposition: {kind}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode("latin-1")

    for path in ("/upload", "/download"):
        response = client.request("POST", path, part, FORM)
        assert (response.status, response.text.count("\n")) == (400, 1)


def created_path(client: Client) -> str:
    headers = {"tus_resumable": "1.0.0", "upload_length": "9", "upload_metadata": "filename eA=="}
    return client.request("POST", "/uploads", **headers).headers["location"]
