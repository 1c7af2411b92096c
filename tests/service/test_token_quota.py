"""The quota of a token: what is stored and begun with it, counted by its name until it is removed or replaced."""

import base64
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import requests
from client import FORM, MAX_TRANSFERS, Client, Response, file_form
from running import serving, wait_until
from sqlalchemy import Connection
from token_files import tokens_with_limits

from file_transfer import app, bodies, metrics, reservation, sweep, tokens, upload_content
from file_transfer.catalogue import Catalogue
from file_transfer.chunks import ChunkStore
from file_transfer.clock import now
from file_transfer.errors import QuotaError
from file_transfer.index import contents, usage
from file_transfer.index.database import Database, OutcomeUnknownError
from file_transfer.lifetime import Lifetime
from file_transfer.limits import Limits, Owner
from file_transfer.uploads import Uploads

QUOTA = 100_000
SMALL, LARGE = 20_000, 45_000
"""Sizes of content that is in the index itself, and in the store."""

ALL = ["read", "write", "delete"]
TOKENS: dict[str, tuple[str, dict[str, object]]] = {
    "ci": ("of the ci", {"scopes": ALL, "quota_bytes": QUOTA}),
    "press": ("of the press", {"scopes": ALL, "quota_bytes": QUOTA}),
    "owner": ("the owner", {"scopes": ALL}),
}
MIGRATIONS = Path(str(resources.files("file_transfer.index"))) / "migrations"
TUS = {"tus_resumable": "1.0.0"}
CI = Owner(name="ci", quota=QUOTA)

Ask = Callable[..., Response]


@pytest.fixture
def start(database: Database, store: ChunkStore, tmp_path: Path) -> Callable[..., Ask]:
    """Start a replica with these limits, and return how to send it a request with a token."""
    (tmp_path / "tokens").write_text(tokens_with_limits(TOKENS))

    def replica(**limits: int) -> Ask:
        client = Client(
            app.create(
                Catalogue(database, store, Limits(**{"max_file": 2**20, **limits})),
                max_transfers=MAX_TRANSFERS,
                tokens=tokens.load(tmp_path / "tokens", ALL),
            )
        )

        def request(token: str, method: str, path: str, body: bytes = b"", kind: str = "", **options: Any) -> Response:
            if token:
                options["authorization"] = f"Bearer {TOKENS[token][0]}"
            return client.request(method, path, body, kind, **options)

        return request

    return replica


@pytest.fixture
def ask(start: Callable[..., Ask]) -> Ask:
    return start()


def put(ask: Ask, token: str, name: str, size: int, **options: Any) -> Response:
    return ask(token, "PUT", f"/files/{name}", b"x" * size, **options)


def form(ask: Ask, token: str, name: str, size: int) -> Response:
    return ask(token, "POST", "/upload", file_form(name, b"x" * size), FORM)


def begin(ask: Ask, token: str, name: str, size: int) -> Response:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    return ask(token, "POST", "/uploads", upload_length=str(size), upload_metadata=metadata, **TUS)


def append(ask: Ask, token: str, path: str, content: bytes, **options: Any) -> Response:
    return ask(token, "PATCH", path, content, "application/offset+octet-stream", upload_offset="0", **TUS, **options)


def used(database: Database, token: str = "ci") -> int:
    return database.read(usage.of_tokens).get(token, 0)


def store_file(catalogue: Catalogue, name: str, size: int, owner: Owner = CI, lifetime: Lifetime | None = None) -> None:
    with catalogue.receive(size, owner) as file:
        file.write(b"x" * size)
        catalogue.publish({name: file}, lifetime or Lifetime())


# What the quota refuses


@pytest.mark.parametrize("upload", [put, form, begin])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_every_way_to_upload_obeys_the_quota_of_its_token(
    ask: Ask, database: Database, upload: Callable[..., Response], size: int
) -> None:
    before = metrics.ERRORS.labels("token_quota")._value.get()
    put(ask, "ci", "kept", QUOTA - size + 1)

    refused = upload(ask, "ci", "name", size)

    assert refused.status == 507
    assert refused.text == (
        f'error: what is stored with the token "ci" may have {QUOTA} bytes and has {QUOTA - size + 1}: '
        "delete or replace some of it first\n"
    )
    assert metrics.ERRORS.labels("token_quota")._value.get() == before + 1
    assert used(database) == QUOTA - size + 1
    assert upload(ask, "ci", "name", size - 1).status == 201
    assert used(database) == QUOTA


def test_a_token_s_quota_limits_no_other_token_and_nobody_without_one(ask: Ask, database: Database) -> None:
    put(ask, "ci", "full", QUOTA)

    assert [put(ask, token, f"of {token}", LARGE).status for token in ("ci", "press", "owner", "")] == [507, *[201] * 3]
    assert [used(database, token) for token in ("ci", "press", "owner", "")] == [QUOTA, LARGE, LARGE, 0]


def test_the_quota_of_all_files_holds_for_tokens_too(start: Callable[..., Ask], database: Database) -> None:
    ask = start(quota=LARGE + SMALL)

    assert put(ask, "owner", "name", LARGE).status == 201
    refused = put(ask, "ci", "other", SMALL + 1)

    assert (refused.status, "all files together" in refused.text) == (507, True)
    assert used(database) == 0


def test_content_of_unknown_length_is_measured_while_it_comes(
    ask: Ask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservation, "_ROOM", 40_000)
    monkeypatch.setattr(bodies, "BLOCK_BYTES", 10_000)

    assert put(ask, "ci", "large", QUOTA + 1, length=-1).status == 507
    assert used(database) == 0
    assert put(ask, "ci", "fits", QUOTA, length=-1).status == 201
    assert used(database) == QUOTA


def test_content_of_unknown_length_is_stored_if_it_fits_whatever_room_is_reserved_at_a_time(
    ask: Ask, start: Callable[..., Ask], database: Database
) -> None:
    assert reservation._ROOM > 2 * QUOTA
    assert form(ask, "ci", "a", LARGE).status == 201
    assert form(ask, "ci", "b", QUOTA - LARGE).status == 201
    assert form(start(quota=QUOTA + LARGE), "press", "c", LARGE).status == 201
    assert (used(database), used(database, "press")) == (QUOTA, LARGE)


def test_a_form_is_stored_with_all_of_its_files_or_with_none(ask: Ask, database: Database) -> None:
    first, second = (file_form(name, b"x" * size) for name, size in (("a", SMALL), ("b", QUOTA - SMALL + 1)))
    both = first.removesuffix(b"--b0undary--\r\n") + second

    assert ask("ci", "POST", "/upload", both, FORM).status == 507
    assert used(database) == 0
    assert ask("ci", "GET", "/files/a").status == 404


def test_a_file_that_gets_smaller_is_stored_though_the_token_has_more_than_its_quota(
    ask: Ask, catalogue: Catalogue, database: Database
) -> None:
    store_file(catalogue, "name", QUOTA + LARGE, Owner(name="ci"))  # before the quota was lowered

    assert put(ask, "ci", "name", SMALL).status == 200
    assert used(database) == SMALL


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_uploads_at_the_same_time_do_not_pass_the_quota_together(
    catalogue: Catalogue, database: Database, size: int
) -> None:
    uploads = Uploads(catalogue)

    def upload(number: int) -> str:
        try:
            if number % 2:
                store_file(catalogue, f"file {number}", size)
            else:
                uploads.create(size, {"filename": f"upload {number}"}, CI)
        except QuotaError:
            return "refused"
        return "stored"

    with ThreadPoolExecutor(12) as pool:
        outcomes = Counter(pool.map(upload, range(24)))

    assert outcomes == {"stored": QUOTA // size, "refused": 24 - QUOTA // size}
    assert used(database) == QUOTA // size * size


# What gives room back


def test_a_failed_upload_gives_its_room_back_at_once(ask: Ask, database: Database) -> None:
    wrong = "sha-256=:" + base64.b64encode(b"0" * 32).decode() + ":"

    assert put(ask, "ci", "cut", LARGE, length=LARGE + 1).status == 400
    assert put(ask, "ci", "wrong", LARGE, repr_digest=wrong).status == 422
    assert put(ask, "ci", "wrong", SMALL, repr_digest=wrong).status == 422
    assert used(database) == 0


def test_a_cancelled_and_a_refused_resumable_upload_give_their_room_back(ask: Ask, database: Database) -> None:
    cancelled = begin(ask, "ci", "a", LARGE).headers["location"]
    assert used(database) == LARGE
    ask("ci", "DELETE", cancelled, **TUS)
    assert used(database) == 0

    put(ask, "owner", "b", 1)
    metadata = f"filename {base64.b64encode(b'b').decode()}"
    path = ask("ci", "POST", "/uploads", upload_length="3", upload_metadata=metadata, if_match="*", **TUS).headers[
        "location"
    ]
    ask("owner", "DELETE", "/files/b")
    assert append(ask, "ci", path, b"abc").status == 412
    assert used(database) == 0


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(sweep, "now", lambda: now() + by)


def test_abandoned_uploads_give_their_room_back_when_they_expire(
    catalogue: Catalogue, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = catalogue.receive(None, CI)
    killed.write(b"x" * LARGE)
    sweep.sweep(catalogue)
    assert used(database) >= LARGE

    later(monkeypatch, contents.LEASE + timedelta(seconds=1))
    sweep.sweep(catalogue)
    assert used(database) == 0

    Uploads(catalogue).create(LARGE, {"filename": "x"}, CI)
    sweep.sweep(catalogue)
    assert used(database) == LARGE
    later(monkeypatch, upload_content.KEPT + timedelta(seconds=1))
    sweep.sweep(catalogue)
    assert used(database) == 0


@pytest.mark.parametrize("first", [SMALL, LARGE])
@pytest.mark.parametrize("second", [SMALL - 1, LARGE - 1])
def test_a_replaced_file_counts_for_the_token_that_has_replaced_it(
    ask: Ask, database: Database, first: int, second: int
) -> None:
    put(ask, "ci", "name", first)
    put(ask, "ci", "name", first - 100)
    assert used(database) == first - 100

    put(ask, "press", "name", second)
    assert (used(database), used(database, "press")) == (0, second)

    append(ask, "ci", begin(ask, "ci", "name", first).headers["location"], b"x" * first)
    assert (used(database), used(database, "press")) == (first, 0)

    put(ask, "", "name", second)
    assert (used(database), used(database, "press")) == (0, 0)
    assert database.read(usage.total) == (second, 1)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_file_counts_until_it_is_deleted_by_anybody_expires_or_is_downloaded_for_the_last_time(
    ask: Ask, catalogue: Catalogue, database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    put(ask, "ci", "name", size)
    ask("press", "DELETE", "/files/name")
    assert (used(database), used(database, "press")) == (0, 0)

    put(ask, "ci", "once?max-downloads=1", size)
    assert used(database) == size
    ask("press", "GET", "/files/once")
    assert used(database) == 0

    put(ask, "ci", "brief?ttl=1h", size)
    put(ask, "press", "as brief?ttl=1h", size)
    later(monkeypatch, timedelta(hours=2))
    sweep.sweep(catalogue)
    assert (used(database), used(database, "press")) == (0, 0)
    assert database.read(usage.total) == (0, 0)


def test_a_resumable_upload_counts_for_the_token_with_which_it_was_begun(ask: Ask, database: Database) -> None:
    path = begin(ask, "ci", "name", LARGE).headers["location"]
    assert used(database) == LARGE

    assert append(ask, "press", path, b"x" * LARGE).status == 204
    assert (used(database), used(database, "press")) == (LARGE, 0)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_file_counts_once_though_its_transaction_is_repeated(
    catalogue: Catalogue, database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    write, left = database.write, [2]

    def answer_is_lost(change: Callable[[Connection], Any]) -> Any:
        written = write(change)
        if left[0]:
            left[0] -= 1
            raise OutcomeUnknownError("the answer was lost")
        return written

    with catalogue.receive(size, CI) as file:
        file.write(b"x" * size)
        file.finish()
        monkeypatch.setattr(database, "write", answer_is_lost)
        catalogue.publish({"name": file}, Lifetime())

    assert (left, used(database)) == ([0], size)


def test_a_token_that_is_rotated_under_its_name_keeps_its_usage(
    database: Database, store: ChunkStore, tmp_path: Path, ask: Ask
) -> None:
    put(ask, "ci", "name", LARGE)
    (tmp_path / "rotated").write_text(tokens_with_limits({"ci": ("another text", TOKENS["ci"][1])}))
    catalogue = Catalogue(database, store, Limits(max_file=2**20))
    rotated = Client(app.create(catalogue, max_transfers=1, tokens=tokens.load(tmp_path / "rotated")))

    for size, status in ((QUOTA - LARGE + 1, 507), (QUOTA - LARGE, 201)):
        assert rotated.put("other", b"x" * size, authorization="Bearer another text").status == status


# The metric


def test_the_usage_of_each_token_of_the_settings_is_a_metric(ask: Ask, catalogue: Catalogue) -> None:
    put(ask, "ci", "name", LARGE)
    put(ask, "press", "other", SMALL)

    metrics.TOKEN_STORED_BYTES.clear()
    sweep.Sweeper(catalogue, lambda: True, ["ci", "new"])._measure()

    (family,) = metrics.TOKEN_STORED_BYTES.collect()
    assert {sample.labels["token"]: sample.value for sample in family.samples} == {"ci": LARGE, "new": 0}


@pytest.mark.slow
def test_a_replica_publishes_the_usage(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(tokens_with_limits(TOKENS))
    authorization = {"Authorization": f"Bearer {TOKENS['ci'][0]}"}

    with serving(tmp_path, TOKENS_FILE=str(tmp_path / "tokens")) as server:

        def published(size: int) -> bool:
            line = f'\nfile_transfer_token_stored_bytes{{token="ci"}} {float(size)}\n'
            return line in requests.get(f"{server.status_url}/metrics", timeout=10).text

        stored = requests.put(f"{server.url}/files/name", data=b"x" * SMALL, headers=authorization, timeout=10)
        assert stored.status_code == 201
        wait_until(lambda: published(SMALL), seconds=60)

        assert requests.delete(f"{server.url}/files/name", headers=authorization, timeout=10).status_code == 204
        wait_until(lambda: published(0), seconds=60)
