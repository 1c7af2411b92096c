"""The headers that tus 1.0.0 requires in responses, errors too."""

import base64
import json

import pytest
from client import Client

from file_transfer.catalogue import Catalogue

VERSION = {"tus_resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"
BINARY = base64.b64encode(b"\xff\x00").decode()
METADATA = f"filename eA==, Filetype dGV4dC9wbGFpbg== ,is_confidential,icon {BINARY},ttl MWg="


def create(client: Client, metadata: str = "filename eA==", length: int = 3) -> str:
    headers = {"upload_length": str(length), "upload_metadata": metadata}
    return client.request("POST", "/uploads", **VERSION, **headers).headers["location"]


@pytest.mark.parametrize("version", [{}, {"tus_resumable": "0.2.2"}, {"tus_resumable": "1.0.0, 1.0.0"}])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_another_version_of_the_protocol_is_told_the_right_one(
    client: Client, method: str, version: dict[str, str]
) -> None:
    path = "/uploads" if method == "POST" else create(client)

    response = client.request(method, path, b"", upload_length="1", upload_metadata="filename eA==", **version)

    assert (response.status, response.headers["tus-version"], response.headers["tus-resumable"]) == (
        412,
        "1.0.0",
        "1.0.0",
    )


def test_a_condition_that_fails_says_nothing_about_versions(client: Client) -> None:
    client.put("x", b"")
    headers = {"upload_length": "1", "upload_metadata": "filename eA==", "if_none_match": "*"}

    response = client.request("POST", "/uploads", **VERSION, **headers)

    assert (response.status, "tus-version" in response.headers) == (412, False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/uploads", 400),
        ("HEAD", f"/uploads/{0:032}", 404),
        ("PATCH", f"/uploads/{0:032}", 415),
        ("POST", f"/uploads/{0:032}", 405),
        ("GET", "/uploads", 405),
        ("GET", f"/uploads/{0:032}", 405),
        ("HEAD", "/uploads/a/b", 404),
        ("HEAD", "/uploads/%ff", 400),
        ("HEAD", f"/uploads/{0:032}?x", 400),
    ],
)
def test_every_error_states_the_version(client: Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path, **VERSION)

    assert (response.status, response.headers["tus-resumable"]) == (status, "1.0.0")


def test_a_fault_states_the_version(client: Client, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "check_writable", lambda: 1 / 0)

    response = client.request("POST", "/uploads", upload_length="1", upload_metadata="filename eA==", **VERSION)

    assert (response.status, response.headers["tus-resumable"]) == (500, "1.0.0")


@pytest.mark.parametrize("path", ["/files", "/files/uploads", "/", "/nowhere"])
def test_other_routes_do_not_speak_tus(client: Client, path: str) -> None:
    assert "tus-resumable" not in client.request("GET", path).headers


def test_the_metadata_comes_back_as_it_was_sent(client: Client) -> None:
    path = create(client, METADATA)

    assert client.request("HEAD", path, **VERSION).headers["upload-metadata"] == METADATA
    client.request("PATCH", path, b"abc", BYTES, upload_offset="0", **VERSION)
    assert client.request("HEAD", path, **VERSION).headers["upload-metadata"] == METADATA
    (file,) = json.loads(client.request("GET", "/files").text)
    assert (file["name"], file["expires"] is not None) == ("x", True)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (f"filename {BINARY}", "the value of 'filename' is not text in base64"),
        ("icon x,filename eA==", "the value of 'icon' is not text in base64"),
        ("filename eA==,Filename eQ==", "Upload-Metadata has the key 'filename' twice: send it once"),
        ("filename é", "Upload-Metadata is not printable ASCII"),
        ("filename\teA==", "Upload-Metadata is not printable ASCII"),
    ],
)
def test_ambiguous_or_unreadable_metadata_is_refused(client: Client, metadata: str, error: str) -> None:
    headers = {"upload_length": "3", "upload_metadata": metadata}

    response = client.request("POST", "/uploads", **VERSION, **headers)

    assert response.status == 400
    assert error in response.text
