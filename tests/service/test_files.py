"""PUT, GET, HEAD, DELETE and the list of files, with the semantics of HTTP."""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest.mock import MagicMock

import pytest
from client import BOUNDARY, FORM, MAX_TRANSFERS, Client, file_form
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from file_transfer import app, bodies, file_routes, incoming, reservation
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.held_download import HeldDownload
from file_transfer.index import usage
from file_transfer.index.database import Database
from file_transfer.limits import Limits

CONTENT = b"0123456789"
TAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
OTHER = f'"{hashlib.sha256(b"other").hexdigest()}"'
DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()}:"
WRONG_DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(b'other').digest()).decode()}:"
YESTERDAY = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
TOMORROW = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)


Limited = Callable[..., Client]


@pytest.fixture
def limited(database: Database, store: ChunkStore) -> Limited:
    """Return a client of another replica, with other limits."""

    def client(**bounds: int) -> Client:
        catalogue = Catalogue(database, store, Limits(**{"max_file": 2**20, **bounds}))
        return Client(app.create(catalogue, max_transfers=MAX_TRANSFERS))

    return client


# Whole files


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 3000], ids=["0", "1", "big"])
def test_a_file_comes_back_with_its_metadata(client: Client, content: bytes) -> None:
    sha256 = hashlib.sha256(content)

    put = client.put("a é.bin", content)
    back = client.get("a é.bin")
    head = client.request("HEAD", "/files/a é.bin")

    assert (put.status, put.text) == (201, f"a é.bin {len(content)} bytes sha256:{sha256.hexdigest()}\n")
    assert (back.status, back.body) == (200, content)
    assert (head.status, head.body, head.headers) == (200, b"", back.headers)
    assert back.headers["etag"] == put.headers["etag"] == f'"{sha256.hexdigest()}"'
    assert back.headers["repr-digest"] == f"sha-256=:{base64.b64encode(sha256.digest()).decode()}:"
    assert back.headers["content-length"] == str(len(content))
    assert back.headers["accept-ranges"] == "bytes"
    assert back.headers["content-disposition"].endswith("filename*=UTF-8''a%20%C3%A9.bin")
    assert back.headers["last-modified"].endswith(" GMT")


def test_a_cache_must_ask_whether_its_copy_is_current(client: Client) -> None:
    client.put("name", CONTENT)

    for response in (
        client.get("name"),
        client.request("HEAD", "/files/name"),
        client.get("name", range="bytes=1-2"),
        client.get("name", if_none_match=TAG),
        client.request("HEAD", "/files/name", if_none_match=TAG),
        client.download("name"),
    ):
        assert response.headers["cache-control"] == "no-cache"


def test_a_file_is_replaced_and_removed(client: Client) -> None:
    assert [client.put("name", content).status for content in (b"1", b"22")] == [201, 200]
    assert client.get("name").body == b"22"
    assert [client.request("DELETE", "/files/name").status for _ in range(2)] == [204, 404]
    assert client.get("name").status == client.request("HEAD", "/files/name").status == 404


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("name", ["..", "a/b", "../a", "a\\b", "a\tb", "a\nb", "a\n", "n" * 300])
def test_a_path_is_not_a_valid_name(client: Client, catalogue: Catalogue, method: str, name: str) -> None:
    response = client.request(method, f"/files/{name}", b"content" if method == "PUT" else b"")

    assert response.status == 400
    assert method == "HEAD" or response.text.startswith("error: the name ")
    assert catalogue.page("", "", 1000) == []


def test_no_uploaded_file_runs_in_a_browser(client: Client) -> None:
    client.put("x.html", b"<script>")

    for response in (client.get("x.html"), client.get("unknown"), client.request("GET", "/files")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert client.get("x.html").headers["content-type"] == "application/octet-stream"


def test_a_truncated_body_is_refused_and_the_old_file_stays(client: Client) -> None:
    client.put("name", b"old")

    response = client.put("name", b"half", length=10)

    assert (response.status, response.text) == (400, "error: the body is broken or cut short: received 4 of 10 bytes\n")
    assert client.get("name").body == b"old"


@pytest.mark.parametrize("header", ["content_range", "content_encoding"])
def test_partial_or_encoded_content_is_refused(client: Client, header: str) -> None:
    assert client.put("name", b"x", **{header: "gzip"}).status == 400
    assert client.get("name").status == 404


# Conditions


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_match": TAG}, 200),
        ({"if_match": f"{OTHER}, {TAG}"}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": OTHER}, 412),
        ({"if_match": f"W/{TAG}"}, 412),
        ({"if_none_match": TAG}, 304),
        ({"if_none_match": f"W/{TAG}"}, 304),
        ({"if_none_match": f"{OTHER},{TAG}"}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": OTHER}, 200),
        ({"if_modified_since": TOMORROW}, 304),
        ({"if_modified_since": YESTERDAY}, 200),
        ({"if_modified_since": "nonsense"}, 200),
        ({"if_modified_since": TOMORROW, "if_none_match": OTHER}, 200),
        ({"if_unmodified_since": YESTERDAY}, 412),
        ({"if_unmodified_since": YESTERDAY, "if_match": TAG}, 200),
        ({"if_match": OTHER, "if_none_match": TAG}, 412),
        ({"if_match": "without quotes"}, 400),
    ],
)
def test_a_download_evaluates_conditions_in_order(client: Client, headers: dict[str, str], status: int) -> None:
    client.put("name", CONTENT)

    for response in (client.get("name", **headers), client.request("HEAD", "/files/name", **headers)):
        assert response.status == status
        if status == 304:
            assert (response.body, response.headers["etag"]) == (b"", TAG)


@pytest.mark.parametrize(
    ("there", "headers", "status"),
    [
        (False, {"if_none_match": "*"}, 201),
        (True, {"if_none_match": "*"}, 412),
        (True, {"if_none_match": TAG}, 412),
        (True, {"if_none_match": OTHER}, 200),
        (True, {"if_match": TAG}, 200),
        (True, {"if_match": OTHER}, 412),
        (False, {"if_match": "*"}, 412),
        (True, {"if_unmodified_since": YESTERDAY}, 412),
        (False, {"if_none_match": "unreadable"}, 400),
    ],
)
def test_an_upload_honours_conditions(client: Client, there: bool, headers: dict[str, str], status: int) -> None:
    if there:
        client.put("name", CONTENT)

    assert client.put("name", b"new", **headers).status == status
    expected = b"new" if status < 300 else CONTENT if there else None
    assert client.get("name").body == (expected if expected is not None else b"error: no file is named 'name'\n")


def test_a_form_upload_honours_conditions_too(client: Client) -> None:
    client.upload("name", CONTENT)

    assert client.upload("name", b"new", if_none_match="*").status == 412
    assert client.download("name").body == CONTENT


def test_delete_with_if_match_removes_only_that_version(client: Client) -> None:
    client.put("name", CONTENT)

    assert client.request("DELETE", "/files/name", if_match=OTHER).status == 412
    assert client.request("DELETE", "/files/name", if_match=TAG).status == 204


# Ranges


@pytest.mark.parametrize(
    ("range_header", "content", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-99", CONTENT, "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
        ("BYTES=1-1", b"1", "bytes 1-1/10"),
    ],
)
def test_a_range_is_sent_alone(client: Client, range_header: str, content: bytes, content_range: str) -> None:
    client.put("name", CONTENT)

    response = client.get("name", range=range_header)

    assert (response.status, response.body, response.headers["content-range"]) == (206, content, content_range)
    assert response.headers["content-length"] == str(len(content))
    assert response.headers["repr-digest"] == DIGEST


@pytest.mark.parametrize("range_header", ["bytes=4-2", "bytes=a-b", "bytes=", "bytes=-", "items=0-1", "bytes=0-1,3-4"])
def test_an_unsupported_range_gets_the_whole_file(client: Client, range_header: str) -> None:
    client.put("name", CONTENT)

    assert (client.get("name", range=range_header).status, client.get("name", range=range_header).body) == (
        200,
        CONTENT,
    )


@pytest.mark.parametrize(
    ("size", "range_header"), [(10, "bytes=10-"), (10, "bytes=-0"), (0, "bytes=0-"), (0, "bytes=-1")]
)
def test_a_range_outside_the_file_gets_the_size(client: Client, size: int, range_header: str) -> None:
    client.put("name", CONTENT[:size])

    response = client.get("name", range=range_header)

    assert (response.status, response.headers["content-range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    ("if_range", "status"),
    [(TAG, 206), (OTHER, 200), (f"W/{TAG}", 200), (YESTERDAY, 200)],
    ids=["the same", "another", "weak", "date"],  # all processes that run tests must know a test by the same name
)
def test_a_range_of_another_version_gets_the_whole_file(client: Client, if_range: str, status: int) -> None:
    client.put("name", CONTENT)

    assert client.get("name", range="bytes=2-4", if_range=if_range).status == status
    modified = client.get("name").headers["last-modified"]
    assert client.get("name", range="bytes=2-4", if_range=modified).status == 206


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(size=st.integers(0, 40), first=st.none() | st.integers(0, 50), last=st.none() | st.integers(0, 50))
def test_any_range_is_that_slice_of_the_file(client: Client, size: int, first: int | None, last: int | None) -> None:
    content = bytes(range(size))
    client.put("sliced", content)
    range_header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None:
        expected = content[-last:] if last else b""
    else:
        expected = content[first : None if last is None else last + 1]

    response = client.get("sliced", range=range_header)

    if (first is None and last is None) or (first is not None and last is not None and last < first):
        assert (response.status, response.body) == (200, content)
    elif expected:
        assert (response.status, response.body) == (206, expected)
    else:
        assert response.status == 416


# Digests


@pytest.mark.parametrize("header", ["repr_digest", "content_digest"])
@pytest.mark.parametrize(
    ("digest", "status"),
    [
        (DIGEST, 201),
        (f"md5=:AAAA:, {DIGEST}", 201),
        ("md5=:AAAA:", 201),
        (WRONG_DIGEST, 422),
        ("sha-256=:AAAA:", 400),
        ("sha-256=nonsense", 400),
    ],
)
def test_a_declared_digest_is_checked(client: Client, header: str, digest: str, status: int) -> None:
    assert client.put("name", CONTENT, **{header: digest}).status == status
    assert client.get("name").status == (200 if status == 201 else 404)


@pytest.mark.parametrize(
    ("sha256", "status"),
    [
        (hashlib.sha256(CONTENT).hexdigest(), 201),
        (hashlib.sha256(CONTENT).hexdigest().upper(), 201),
        ("0" * 64, 422),
        ("not hex", 400),
    ],
)
def test_a_form_s_digest_is_checked(client: Client, sha256: str, status: int) -> None:
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sha256"\r\n\r\n{sha256}\r\n'.encode()

    assert client.request("POST", "/upload", field + file_form("name", CONTENT), FORM).status == status
    assert client.get("name").status == (200 if status == 201 else 404)


def test_a_digest_after_its_file_is_refused(client: Client, catalogue: Catalogue) -> None:
    end = f"--{BOUNDARY}--\r\n".encode()
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sha256"\r\n\r\n{"0" * 64}\r\n'.encode()

    assert client.request("POST", "/upload", file_form("name", CONTENT)[: -len(end)] + field + end, FORM).status == 400
    assert catalogue.page("", "", 1000) == []


# Several at once


def test_all_or_none_of_a_form_s_files_are_stored(client: Client, catalogue: Catalogue) -> None:
    end = f"--{BOUNDARY}--\r\n".encode()
    two = file_form("a", b"1")[: -len(end)] + file_form("b", b"22")

    refused = client.request("POST", "/upload", two[:-10], FORM)
    assert (refused.status, catalogue.page("", "", 1000)) == (400, [])
    stored = client.request("POST", "/upload", two, FORM)

    assert [line.split()[:2] for line in stored.text.splitlines()] == [["a", "1"], ["b", "2"]]
    described = json.loads(client.request("POST", "/upload", two, FORM, accept="application/json").text)
    assert [file["name"] for file in described] == ["a", "b"]


def test_no_file_of_a_form_is_stored_if_one_is_refused(client: Client, catalogue: Catalogue) -> None:
    client.put("b", CONTENT)
    end = f"--{BOUNDARY}--\r\n".encode()
    two = file_form("a", b"1")[: -len(end)] + file_form("b", b"22")

    assert client.request("POST", "/upload", two, FORM, if_none_match="*").status == 412
    assert [(file.name, file.size) for file in catalogue.page("", "", 1000)] == [("b", len(CONTENT))]


def test_a_file_of_a_form_does_not_wait_in_memory_for_the_others(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", 0)
    end = f"--{BOUNDARY}--\r\n".encode()
    first = file_form("a", b"1")[: -len(end)] + file_form("b", b"")[: -len(end) - 2]
    kept: list[int] = []
    finish = incoming.IncomingFile.finish

    def finish_and_count(file: incoming.IncomingFile) -> None:
        finish(file)
        kept.append(len(file.chunks))

    class Body(io.BytesIO):
        seen: int | None = None

        def read(self, size: int | None = -1) -> bytes:
            if self.tell() and self.seen is None:
                self.seen = sum(kept)
            return super().read(len(first) if not self.tell() else size)

    monkeypatch.setattr(incoming.IncomingFile, "finish", finish_and_count)
    body = Body(first + b"\r\n" + end)
    (status, _), _ = client.begin("POST", "/upload", body, FORM, -1)

    assert (status[:3], body.seen) == ("201", 1)


# Lifetimes


@pytest.mark.parametrize("query", ["ttl=1h", "ttl=3600", "ttl=60m", "expires={}"])
def test_a_file_states_when_it_expires(client: Client, query: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    query = query.format(later.strftime("%Y-%m-%dT%H:%M:%SZ"))

    stored = [
        client.request("PUT", f"/files/name?{query}", b"", accept="application/json"),
        client.request("POST", f"/upload?{query}", file_form("name", b""), FORM, accept="application/json"),
    ]

    for response in stored:
        expires = datetime.fromisoformat(json.loads(response.text)["expires"])
        assert abs(expires - later) < timedelta(seconds=5)


def test_a_lifetime_begins_when_the_file_is_published(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "now", lambda: now() + timedelta(hours=2))

    client.request("PUT", "/files/put?ttl=1h", b"")
    client.request("POST", "/upload?ttl=1h", file_form("form", b""), FORM)

    ends = [datetime.fromisoformat(file["expires"]) for file in json.loads(client.request("GET", "/files").text)]
    assert len(ends) == 2
    assert min(ends) > now() + timedelta(hours=2, minutes=59)


@pytest.mark.parametrize(
    "query",
    [
        "ttl=soon",
        "ttl=0",
        "ttl=-1",
        "ttl=1h2m",
        "ttl=999999999d",
        "expires=2001-01-01",
        "expires=then",
        "max-downloads=0",
        "max-downloads=x",
        "ttl=1h&expires=2999-01-01",
        "ttl=%FF",
    ],
)
def test_an_invalid_lifetime_is_refused_with_its_name(client: Client, query: str) -> None:
    response = client.request("PUT", f"/files/name?{query}", b"content")

    assert response.status == 400
    assert query.partition("=")[0] in response.text or "UTF-8" in response.text
    assert client.get("name").status == 404


@pytest.mark.parametrize("small", [0, 10_000], ids=["in the store", "in the index"])
def test_only_a_download_with_the_last_byte_counts(client: Client, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", small)
    client.request("PUT", "/files/name?max-downloads=3", CONTENT)

    assert client.request("HEAD", "/files/name").status == 200
    assert client.get("name", if_none_match=TAG).status == 304
    assert client.get("name", range="bytes=1-1").body == b"1"
    assert client.get("name").body == client.download("name").body == CONTENT
    assert client.get("name", range="bytes=5-").body == CONTENT[5:]
    assert client.get("name").status == client.download("name").status == 404
    assert json.loads(client.request("GET", "/files").text) == []


@pytest.mark.parametrize("small", [0, 10_000], ids=["in the store", "in the index"])
def test_a_broken_download_of_a_one_time_file_can_be_resumed(
    client: Client, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", small)
    client.request("PUT", "/files/once?max-downloads=1", CONTENT)

    (status, _), body = client.begin("GET", "/files/once", io.BytesIO(), "", -1)
    assert status.startswith("200")
    assert next(iter(body)) == CONTENT
    assert client.get("once").status == 503, "it is running"
    body.close()  # the client disconnected before it had taken the last block

    assert client.get("once", range="bytes=3-").body == CONTENT[3:]
    assert client.get("once").status == 404


# Limits


def test_a_limited_download_is_renewed_before_each_piece_that_a_slow_client_needs_minutes_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", 0)
    monkeypatch.setattr(file_routes, "_RENEWED_BYTES", 3)
    client.request("PUT", "/files/once?max-downloads=1", b"0123456789")
    renew = MagicMock()
    monkeypatch.setattr(HeldDownload, "renew", renew)

    assert client.get("once", range="bytes=2-8").body == b"2345678"
    assert renew.call_count == 3
    assert client.get("once").body == b"0123456789"
    assert renew.call_count == 3 + 4
    assert client.get("once").status == 404


def test_an_empty_file_with_limited_downloads_gives_its_slot_back(client: Client) -> None:
    client.request("PUT", "/files/empty?max-downloads=1000", b"")

    assert {client.get("empty").status for _ in range(2 * MAX_TRANSFERS)} == {200}


def test_what_is_declared_too_large_is_refused_before_it_is_sent(limited: Limited) -> None:
    client = limited(max_file=10)

    assert client.put("name", b"x", length=11).status == 413
    assert client.put("name", b"x" * 11, length=-1).status == 413
    assert client.put("name", b"x" * 10).status == 201


@pytest.mark.parametrize("small", [0, 10_000], ids=["in the store", "in the index"])
def test_a_disk_that_is_almost_full_takes_nothing(
    limited: Limited, monkeypatch: pytest.MonkeyPatch, store: ChunkStore, small: int
) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", small)
    monkeypatch.setattr(store, "free_bytes", lambda: 1_000_000)

    assert limited(min_free=1_000_000).put("name", b"x").status == 507
    assert limited(min_free=999_999).put("name", b"x").status == 201


def test_old_knowledge_does_not_refuse_an_upload(database: Database, store: ChunkStore) -> None:
    """A standby whose primary is gone may not have the file that If-Match expects."""

    def check_writable() -> None:
        raise StorageUnavailableError("no primary")

    catalogue = Catalogue(database, store, Limits(max_file=2**20), check_writable)
    client = Client(app.create(catalogue, max_transfers=MAX_TRANSFERS))

    assert client.put("name", CONTENT, if_match=TAG).status == 503


@pytest.mark.parametrize("small", [0, 10_000], ids=["in the store", "in the index"])
def test_all_files_together_stay_within_the_quota(
    limited: Limited, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(incoming, "SMALL_BYTES", small)
    client = limited(quota=1000)
    client.put("kept", b"x" * 600)

    refused = client.put("name", b"x" * 600)
    assert (refused.status, refused.text) == (
        507,
        "error: all files together may have 1000 bytes: delete some files first\n",
    )
    assert client.put("small", b"x" * 300).status == 201
    assert limited(quota=1000).put("other", b"x" * 200).status == 507, "files stored by other processes count too"
    assert client.get("kept").status == 200


def test_a_deleted_or_replaced_file_frees_its_room_at_once(limited: Limited, database: Database) -> None:
    client = limited(quota=100_000)
    client.put("name", b"x" * 90_000)
    assert database.read(usage.total) == (90_000, 1)

    client.request("DELETE", "/files/name")
    assert database.read(usage.total) == (0, 0)
    assert client.put("name", b"x" * 100_000).status == 201
    assert client.put("name", b"").status == 200
    assert database.read(usage.total) == (0, 1)


def test_a_refused_or_broken_upload_frees_its_room_at_once(limited: Limited, database: Database) -> None:
    client = limited(quota=100_000)

    assert client.put("cut", b"x" * 40_000, length=90_000).status == 400
    assert client.put("wrong", b"x" * 40_000, repr_digest=DIGEST).status == 422
    assert database.read(usage.total) == (0, 0)


def test_a_file_of_unknown_length_is_measured_against_the_quota(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservation, "_ROOM", 40_000)
    monkeypatch.setattr(bodies, "BLOCK_BYTES", 10_000)
    client = limited(quota=100_000)

    assert client.put("large", b"x" * 120_000, length=-1).status == 507
    assert client.put("small", b"x" * 70_000, length=-1).status == 201


def test_the_disk_keeps_the_configured_free_space(
    limited: Limited, store: ChunkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "free_bytes", lambda: 100_000)
    client = limited(min_free=60_000)

    assert client.put("large", b"x" * 50_000).status == 507
    assert client.put("small", b"x" * 39_000).status == 201


# The list


def test_the_list_comes_in_pages(client: Client) -> None:
    names = ["a", "b 1", "b&2", "b3", "c"]
    for name in names:
        client.put(name, b"")

    def pages(path: str) -> list[list[str]]:
        response = client.request("GET", path)
        page = [file["name"] for file in json.loads(response.text)]
        link = response.headers.get("link")
        return [page, *(pages(link[1:].partition(">")[0]) if link else [])]

    assert pages("/files") == [names]
    assert pages("/files?limit=2") == [["a", "b 1"], ["b&2", "b3"], ["c"]]
    assert pages("/files?prefix=b&limit=1") == [["b 1"], ["b&2"], ["b3"]]
    assert pages("/files?prefix=nothing") == [[]]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "%C2%B2"])
def test_an_invalid_page_size_is_refused(client: Client, limit: str) -> None:
    assert client.request("GET", f"/files?limit={limit}").status == 400
