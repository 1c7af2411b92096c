"""Resumable uploads by tus 1.0.0."""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from client import MAX_TRANSFERS, Client, Response
from sqlalchemy import Connection, func, select

from file_transfer import app, sweep, upload_content, upload_record, uploads
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import ChunkStore, StorageUnavailableError
from file_transfer.clock import now
from file_transfer.errors import ConflictError, CutShortError, RefusedError
from file_transfer.index import uploads as index_uploads
from file_transfer.index import usage
from file_transfer.index.database import Database, OutcomeUnknownError
from file_transfer.index.schema import chunks
from file_transfer.limits import Limits
from file_transfer.reservation import Reservation
from file_transfer.resumable_sha256 import ResumableSha256
from file_transfer.upload import Upload

CONTENT = bytes(range(256)) * 40
BYTES = "application/offset+octet-stream"
VERSION = {"tus_resumable": "1.0.0"}


def metadata(**pairs: str) -> str:
    return ",".join(
        f"{key.replace('_', '-')} {base64.b64encode(text.encode()).decode()}" for key, text in pairs.items()
    )


def create(client: Client, length: int = len(CONTENT), body: bytes = b"", **pairs: str) -> Response:
    pairs = {"filename": "name", **pairs}
    kind = BYTES if body else ""
    headers = {"upload_length": str(length), "upload_metadata": metadata(**pairs)}
    return client.request("POST", "/uploads", body, kind, **VERSION, **headers)


def created_path(client: Client, **pairs: str) -> str:
    return create(client, **pairs).headers["location"]


def patch(client: Client, path: str, offset: int, content: bytes, **headers: str) -> Response:
    return client.request("PATCH", path, content, BYTES, upload_offset=str(offset), **VERSION, **headers)


def offset(client: Client, path: str) -> int:
    return int(client.request("HEAD", path, **VERSION).headers["upload-offset"])


def test_the_last_byte_of_an_upload_publishes_the_file(client: Client) -> None:
    created = create(client)
    path = created.headers["location"]
    assert (created.status, created.headers["upload-offset"]) == (201, "0")
    assert path.startswith("/uploads/")

    for start in range(0, len(CONTENT), 4000):
        assert client.get("name").status == 404
        response = patch(client, path, start, CONTENT[start : start + 4000])
        assert (response.status, int(response.headers["upload-offset"])) == (204, min(start + 4000, len(CONTENT)))
        assert response.headers["upload-expires"].endswith(" GMT")
    assert (
        response.headers["etag"]
        == client.request("HEAD", path, **VERSION).headers["etag"]
        == client.get("name").headers["etag"]
    )

    back = client.get("name")
    assert (back.body, back.headers["etag"]) == (CONTENT, f'"{hashlib.sha256(CONTENT).hexdigest()}"')
    assert client.get("name", range="bytes=3999-4000").body == CONTENT[3999:4001]
    assert offset(client, path) == len(CONTENT), "a client that has lost the last response can ask for the offset"


def test_another_replica_can_resume_an_upload(client: Client, catalogue: Catalogue) -> None:
    replica = Catalogue(catalogue.database, catalogue.store, catalogue.limits)
    other = Client(app.create(replica, max_transfers=MAX_TRANSFERS))
    path = created_path(client)

    patch(client, path, 0, CONTENT[:5000])
    patch(other, path, offset(other, path), CONTENT[5000:])

    assert client.get("name").body == CONTENT


@pytest.mark.parametrize("received", [0, 1, 3000])
def test_bytes_received_before_a_broken_connection_are_kept(client: Client, received: int) -> None:
    path = created_path(client)

    assert patch(client, path, 0, CONTENT[:received], length=len(CONTENT)).status == 400  # type: ignore[arg-type]
    assert offset(client, path) == received
    assert patch(client, path, received, CONTENT[received:]).status == 204
    assert client.get("name").body == CONTENT


def test_the_progress_of_a_long_upload_is_recorded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_content, "CHECKPOINT", 3000)
    path = created_path(client)

    class Body(io.BytesIO):
        """A body that kills the replica before its end."""

        def read(self, _: int | None = -1) -> bytes:
            data = super().read(1000)
            if self.tell() > 7000:
                raise KeyboardInterrupt
            return data

    with pytest.raises(KeyboardInterrupt):
        client.begin("PATCH", path, Body(CONTENT), BYTES, len(CONTENT), upload_offset="0", **VERSION)

    assert offset(client, path) == 6000
    patch(client, path, 6000, CONTENT[6000:])
    assert client.get("name").body == CONTENT


def test_the_creation_can_contain_the_first_bytes(client: Client) -> None:
    created = create(client, body=CONTENT)

    assert (created.status, created.headers["upload-offset"]) == (201, str(len(CONTENT)))
    assert client.get("name").body == CONTENT


def test_an_empty_file_is_published_at_once(client: Client) -> None:
    assert create(client, 0).status == 201
    assert client.get("name").body == b""


@pytest.mark.parametrize(("start", "status"), [("1", 409), ("99999", 409), ("x", 400), ("-1", 400)])
def test_bytes_at_a_wrong_offset_are_refused(client: Client, start: str, status: int) -> None:
    path = created_path(client)

    assert client.request("PATCH", path, b"x", BYTES, upload_offset=start, **VERSION).status == status
    assert offset(client, path) == 0


def test_more_than_was_declared_is_refused(client: Client) -> None:
    path = created_path(client)

    assert patch(client, path, 0, CONTENT + b"more").status == 413
    assert offset(client, path) == 0


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_checksum_is_checked_before_anything_is_kept(client: Client, algorithm: str) -> None:
    path = created_path(client)

    def checksum(content: bytes) -> str:
        return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"

    assert patch(client, path, 0, CONTENT[:500], upload_checksum=checksum(b"other")).status == 460
    assert offset(client, path) == 0
    assert patch(client, path, 0, CONTENT[:500], upload_checksum=checksum(CONTENT[:500])).status == 204
    assert patch(client, path, 500, CONTENT[500:], upload_checksum=checksum(CONTENT[500:])).status == 204
    assert client.get("name").body == CONTENT


@pytest.mark.parametrize("checksum", ["md5 AAAA", "sha256", "sha256 AAAA", "nonsense"])
def test_an_invalid_checksum_is_refused(client: Client, checksum: str) -> None:
    assert patch(client, created_path(client), 0, b"x", upload_checksum=checksum).status == 400


def test_the_file_s_digest_is_checked_at_the_end(client: Client) -> None:
    right = created_path(client, sha256=hashlib.sha256(CONTENT).hexdigest())
    wrong = created_path(client, sha256="0" * 64, filename="wrong")

    for path, status in ((right, 204), (wrong, 422)):
        patch(client, path, 0, CONTENT[:100])
        assert patch(client, path, 100, CONTENT[100:]).status == status
    assert client.get("name").body == CONTENT
    assert client.get("wrong").status == client.request("HEAD", wrong, **VERSION).status == 404


def test_a_cancelled_upload_leaves_nothing(client: Client, catalogue: Catalogue) -> None:
    path = created_path(client)
    patch(client, path, 0, CONTENT[:100])

    assert client.request("DELETE", path, **VERSION).status == 204
    assert patch(client, path, 100, CONTENT[100:]).status == client.request("DELETE", path, **VERSION).status == 404
    assert catalogue.page("", "", 10) == []


def test_an_upload_expires(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path = created_path(client)
    monkeypatch.setattr(uploads, "now", lambda: now() + timedelta(days=2))

    assert patch(client, path, 0, CONTENT).status == 404


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ({"filename": "../x"}, 400),
        ({"filename": ""}, 400),
        ({"ttl": "soon"}, 400),
        ({"sha256": "x"}, 400),
        ({"if_none_match": "*", "filename": "there"}, 412),
    ],
)
def test_invalid_metadata_is_refused_before_the_content_is_sent(
    client: Client, pairs: dict[str, str], status: int
) -> None:
    client.put("there", b"")

    assert create(client, **pairs).status == status


def test_a_file_stored_meanwhile_is_not_overwritten(client: Client) -> None:
    headers = {"upload_length": "3", "upload_metadata": metadata(filename="name"), "if_none_match": "*"}
    path = client.request("POST", "/uploads", **VERSION, **headers).headers["location"]
    client.put("name", b"first")

    assert patch(client, path, 0, b"new").status == 412
    assert client.get("name").body == b"first"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"upload_length": "5", "upload_metadata": "filename !"}, 400),
        ({"upload_length": "5", "upload_metadata": "filename " + "A" * 9000}, 400),
        ({"upload_metadata": metadata(filename="x")}, 400),
        ({"upload_length": str(2**40), "upload_metadata": metadata(filename="x")}, 413),
    ],
)
def test_an_invalid_creation_is_refused(client: Client, headers: dict[str, str], status: int) -> None:
    assert client.request("POST", "/uploads", **VERSION, **headers).status == status


def test_the_metadata_can_contain_a_lifetime(client: Client) -> None:
    patch(client, created_path(client, max_downloads="1", ttl="1h"), 0, CONTENT)

    (file,) = json.loads(client.request("GET", "/files").text)
    assert (file["downloads_left"], file["expires"] is not None) == (1, True)


def test_another_version_of_the_protocol_is_refused(client: Client) -> None:
    response = client.request("POST", "/uploads", upload_length="1")

    assert (response.status, response.text) == (412, "error: send Tus-Resumable: 1.0.0\n")
    assert client.request("OPTIONS", "/uploads").headers["tus-extension"] == (
        "creation,creation-with-upload,termination,checksum,expiration"
    )


def test_a_client_that_can_only_post_overrides_the_method(client: Client) -> None:
    path = created_path(client)

    response = client.request(
        "POST", path, CONTENT, BYTES, upload_offset="0", x_http_method_override="PATCH", **VERSION
    )

    assert response.status == 204
    assert client.request("POST", path, **VERSION).status == 405


def test_only_one_of_two_concurrent_requests_continues_an_upload(catalogue: Catalogue, client: Client) -> None:
    path = created_path(client)
    resumable = uploads.Uploads(catalogue)
    upload = resumable.find(path.rpartition("/")[2])

    def slow() -> object:
        yield CONTENT[:10]
        patch(client, path, 0, CONTENT[::-1])  # meanwhile
        yield CONTENT[10:]

    with pytest.raises(ConflictError):
        resumable.append(upload, 0, slow(), None)  # type: ignore[arg-type]

    assert client.get("name").body == CONTENT[::-1]


def test_the_last_request_can_be_repeated_after_its_answer_was_lost(client: Client) -> None:
    headers = {"upload_length": str(len(CONTENT)), "upload_metadata": metadata(filename="name"), "if_none_match": "*"}
    path = client.request("POST", "/uploads", **VERSION, **headers).headers["location"]
    assert patch(client, path, 0, CONTENT).status == 204

    assert offset(client, path) == len(CONTENT)
    assert patch(client, path, len(CONTENT), b"").status == 204
    assert client.get("name").body == CONTENT


def test_a_transaction_that_succeeded_without_an_answer_is_not_done_twice(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = created_path(client, if_none_match="*")
    write, lost = database.write, []

    def lose_answers(change: Callable[[Connection], object]) -> object:
        result = write(change)
        if len(lost) < 2:
            lost.append(change)
            raise OutcomeUnknownError("the answer was lost")
        return result

    patch(client, path, 0, CONTENT[:100])
    with monkeypatch.context() as patched:
        patched.setattr(Reservation, "next_key", next_key_with(write, database))
        patched.setattr(database, "write", lose_answers)
        assert patch(client, path, 100, CONTENT[100:]).status == 204

    assert len(lost) == 2
    assert client.get("name").body == CONTENT
    assert database.read(usage.total) == (len(CONTENT), 1)


def next_key_with(write: object, database: Database) -> Callable[..., str]:
    """Return a `next_key` whose own transactions are not disturbed."""
    original = Reservation.next_key

    def next_key(self: Reservation, *, fresh: bool = False) -> str:
        disturbed = database.write
        database.write = write  # type: ignore[method-assign, assignment]
        try:
            return original(self, fresh=fresh)
        finally:
            database.write = disturbed  # type: ignore[method-assign]

    return next_key


def test_a_request_that_dies_while_publishing_can_be_repeated(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path = created_path(client)
    patch(client, path, 0, CONTENT[:100])

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(index_uploads, "advance", dies)
        with pytest.raises(KeyboardInterrupt):
            patch(client, path, 100, CONTENT[100:])

    assert offset(client, path) == 100
    assert patch(client, path, 100, CONTENT[100:]).status == 204
    assert client.get("name").body == CONTENT


@pytest.mark.slow
def test_an_upload_goes_on_after_the_index_was_unavailable(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = created_path(client)

    def away(_: object) -> None:
        raise StorageUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "write", away)
        assert patch(client, path, 0, CONTENT).status == 503

    assert offset(client, path) == 0
    assert patch(client, path, 0, CONTENT).status == 204
    assert client.get("name").body == CONTENT


def test_an_upload_that_is_deleted_while_it_is_published_is_not_half_a_file(
    client: Client, catalogue: Catalogue
) -> None:
    path = created_path(client)
    resumable = uploads.Uploads(catalogue)
    upload = resumable.find(path.rpartition("/")[2])

    def slow() -> object:
        yield CONTENT[:10]
        client.request("DELETE", path, **VERSION)  # meanwhile
        yield CONTENT[10:]

    with pytest.raises((RefusedError, StorageUnavailableError)):
        resumable.append(upload, 0, slow(), None)  # type: ignore[arg-type]

    assert client.get("name").status == 404
    assert catalogue.database.read(usage.total) == (0, 0)


def test_the_room_for_an_upload_is_reserved_when_it_is_created(database: Database, store: ChunkStore) -> None:
    limits = Limits(max_file=2**20, quota=100_000)
    limited = Client(app.create(Catalogue(database, store, limits), max_transfers=MAX_TRANSFERS))
    path = created_path(limited)

    assert create(limited, 90_000).status == 507
    assert limited.put("other", b"x" * 95_000).status == 507
    assert patch(limited, path, 0, CONTENT).status == 204
    assert database.read(usage.total) == (len(CONTENT), 1)
    assert create(limited, 89_000).status == 201


def test_a_cancelled_upload_frees_its_room(client: Client, database: Database) -> None:
    path = created_path(client)
    client.request("DELETE", path, **VERSION)

    assert database.read(usage.total) == (0, 0)


def test_a_long_upload_keeps_its_chunks_however_slow_it_is(
    client: Client, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = created_path(client)
    for start in range(0, len(CONTENT), 5000):
        patch(client, path, start, CONTENT[start : start + 5000])
        monkeypatch.setattr(sweep, "now", lambda: now() + timedelta(hours=23))
        sweep.sweep(catalogue)

    assert client.get("name").body == CONTENT


def test_an_upload_in_very_many_requests_is_hashed_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    update = ResumableSha256.update

    def count(self: ResumableSha256, data: bytes) -> None:
        hashed.append(len(data))
        update(self, data)

    monkeypatch.setattr(ResumableSha256, "update", count)
    path = created_path(client)
    for start in range(0, len(CONTENT), 100):
        patch(client, path, start, CONTENT[start : start + 100])

    assert sum(hashed) == len(CONTENT)
    assert client.get("name").headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'


def test_requests_reserve_no_more_keys_than_they_need(database: Database, store: ChunkStore) -> None:
    several = uploads.Uploads(Catalogue(database, store, Limits(max_file=2**30)))
    upload = several.create(2**30, {"filename": "name"})
    for start in range(5):
        upload = several.append(upload, start, iter([b"x"]), None, size=1)

    reserved = select(func.count()).select_from(chunks)
    assert database.read(lambda connection: connection.execute(reserved).scalar_one()) == 5


def test_an_upload_is_complete_once_the_primary_says_so(
    catalogue: Catalogue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = created_path(client)
    behind = catalogue.database.read

    def divergent(query: Callable[[Connection], object]) -> object:
        found = behind(query)
        return replace(found, offset=found.length, sha256="00" * 32) if isinstance(found, Upload) else found

    monkeypatch.setattr(catalogue.database, "read", divergent)

    assert offset(client, path) == 0


def test_an_empty_file_is_published_once_though_the_answer_was_lost(
    catalogue: Catalogue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writes = catalogue.database.write, count()

    def write_and_lose(change: Callable[[Connection], object]) -> object:
        result = write(change)
        if next(writes) == 1:  # the first one creates the upload
            raise OutcomeUnknownError("the answer was lost")
        return result

    monkeypatch.setattr(catalogue.database, "write", write_and_lose)

    assert create(client, length=0).status == 201
    assert client.get("name").status == 200


def test_a_lifetime_begins_when_the_file_is_published(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path = created_path(client, ttl="1h")
    patch(client, path, 0, CONTENT[:100])
    monkeypatch.setattr(upload_record, "now", lambda: now() + timedelta(hours=2))
    patch(client, path, 100, CONTENT[100:])

    (file,) = json.loads(client.request("GET", "/files").text)
    assert datetime.fromisoformat(file["expires"]) > now() + timedelta(hours=2, minutes=59)


def test_truncated_bytes_with_a_checksum_are_not_kept(catalogue: Catalogue, client: Client) -> None:
    path = created_path(client)
    resumable = uploads.Uploads(catalogue)
    upload = resumable.find(path.rpartition("/")[2])

    def broken() -> object:
        yield CONTENT[:10]
        raise CutShortError("reset")

    with pytest.raises(CutShortError):
        resumable.append(upload, 0, broken(), "sha1 " + "A" * 27 + "=")  # type: ignore[arg-type]
    assert offset(client, path) == 0
