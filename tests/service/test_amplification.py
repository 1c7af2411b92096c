"""Requests that cost a client little: what each of them can cost the service is bounded."""

import json
from pathlib import Path

import pytest
from client import BOUNDARY, FORM, MAX_TRANSFERS, Client
from sqlalchemy import func, select

from file_transfer import app, bodies, metrics, upload_content, uploads
from file_transfer.catalogue import Catalogue
from file_transfer.index.database import Database
from file_transfer.index.schema import chunks
from file_transfer.limits import Limits
from file_transfer.stores.directory import DirectoryStore

TUS = {"tus_resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


@pytest.fixture
def backend() -> str:
    return "directory"


def create(client: Client, length: int, metadata: str = "filename eA==") -> str:
    created = client.request("POST", "/uploads", upload_length=str(length), upload_metadata=metadata, **TUS)
    assert created.status == 201
    return created.headers["location"]


def patch(client: Client, path: str, offset: int, content: bytes, length: int | None = None) -> int:
    return client.request("PATCH", path, content, BYTES, length=length, upload_offset=str(offset), **TUS).status


def count(database: Database) -> int:
    placed = select(func.count()).select_from(chunks).where(chunks.c.start.is_not(None))
    return database.read(lambda connection: connection.execute(placed).scalar_one())


def test_a_large_request_may_end_with_a_small_part(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_MAX_SMALL", 0)
    monkeypatch.setattr(uploads, "_SMALL_BYTES", 1000)
    monkeypatch.setattr(upload_content, "CHECKPOINT", 3000)
    monkeypatch.setattr(bodies, "BLOCK_BYTES", 1500)
    path = create(client, 10_000)

    assert patch(client, path, 0, b"x" * 3500) == 204


@pytest.mark.parametrize("declared", [1, 100, -1])
def test_an_upload_cannot_come_in_any_number_of_tiny_requests(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch, declared: int
) -> None:
    monkeypatch.setattr(uploads, "_MAX_SMALL", 5)
    monkeypatch.setattr(uploads, "_SMALL_BYTES", 10)
    path = create(client, 30)

    # A length that is not sent, or none, must not lead around the limit: what has come counts.
    found = [patch(client, path, offset, b"x", declared) for offset in range(5)]
    assert found == [400 if declared == 100 else 204] * 5
    assert client.request("HEAD", path, **TUS).headers["upload-offset"] == "5"
    assert patch(client, path, 5, b"x", declared) == 400
    assert client.request("HEAD", path, **TUS).headers["upload-offset"] == "5"
    assert count(database) == 5

    assert patch(client, path, 5, b"x" * 20) == 204
    assert patch(client, path, 25, b"x" * 5) == 204, "the last part may be small"
    assert client.get("x").body == b"x" * 30


@pytest.mark.parametrize("limit", ["000000001000000", "0000000000000000000000001", "1001", "1e3"])
def test_no_spelling_of_a_limit_makes_a_list_longer(client: Client, limit: str) -> None:
    refused = client.request("GET", f"/files?limit={limit}")

    assert (refused.status, refused.text) == (400, f"error: limit is {limit!r}: give a whole number, 1 to 1000\n")


def test_many_ranges_are_answered_with_the_file_once(client: Client) -> None:
    client.put("x", b"content")
    many = "bytes=" + ",".join(["0-"] * 1000)

    found = client.get("x", range=many)

    assert (found.status, found.body) == (200, b"content")


def test_a_long_list_of_entity_tags_is_read_once(client: Client) -> None:
    etag = client.put("x", b"content").headers["etag"]
    others = ", ".join(f'"{number}"' for number in range(1000))

    assert client.get("x", if_none_match=f"{others}, {etag}").status == 304
    assert client.get("x", if_none_match=others).status == 200
    assert client.get("x", if_match=f"{others}").status == 412
    assert client.get("x", if_match='"",' * 2500).status == 412
    assert client.get("x", if_match='"' * 8001).status == 400
    assert client.get("x", if_match=" " * 8000 + "x").status == 400


def test_a_form_of_many_tiny_files_stores_none(client: Client) -> None:
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{{}}"\r\n\r\n\r\n'
    form = "".join(part.format(number) for number in range(1000)) + f"--{BOUNDARY}--\r\n"

    assert client.request("POST", "/upload", form.encode(), FORM).status == 413
    assert json.loads(client.request("GET", "/files").text) == []


@pytest.mark.parametrize(
    "metadata", ["filename eA==," + "a" * 8192, "filename eA==" + ",x" * 5000, "filename " + "eA==" * 3000]
)
def test_a_flood_of_metadata_creates_no_upload(client: Client, metadata: str) -> None:
    refused = client.request("POST", "/uploads", upload_length="1", upload_metadata=metadata, **TUS)

    assert (refused.status, len(refused.text) < 200) == (400, True)


def test_created_uploads_cannot_reserve_more_than_the_quota(database: Database, tmp_path: Path) -> None:
    limits = Limits(max_file=2**20, quota=1000)
    limited = Client(
        app.create(Catalogue(database, DirectoryStore(tmp_path / "chunks"), limits), max_transfers=MAX_TRANSFERS)
    )

    for _ in range(3):
        create(limited, 300)
    refused = limited.request("POST", "/uploads", upload_length="300", upload_metadata="filename eA==", **TUS)
    small = limited.put("x", b"x" * 101)

    assert (refused.status, small.status) == (507, 507)


def test_labels_of_metrics_do_not_grow_with_what_clients_send(client: Client) -> None:
    before = len(next(iter(metrics.REQUESTS.collect())).samples)
    for number in range(20):
        client.put(f"name-{number}", b"x")
        client.get(f"name-{number}")
        client.request("GET", f"/unknown-{number}")
        client.request(f"METHOD{number}", "/files/x")

    assert len(next(iter(metrics.REQUESTS.collect())).samples) - before <= 4
