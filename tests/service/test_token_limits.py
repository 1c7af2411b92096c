"""What a token is limited to: names, time, and what is possible without one."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from client import FORM, MAX_TRANSFERS, Client, file_form
from token_files import tokens_with_limits

from file_transfer import app, metrics, tokens
from file_transfer.catalogue import Catalogue
from file_transfer.errors import RefusedError

ALL = {"scopes": ["read", "write", "delete"]}
TUS = {"tus_resumable": "1.0.0"}
NOW = datetime(2030, 1, 31, 23, 59, 59, tzinfo=UTC)
TOKENS: dict[str, tuple[str, dict[str, object]]] = {
    "owner": ("the owner", ALL),
    "ci": ("of the ci", {**ALL, "prefix": "ci-"}),
    "new": ("the new one", {**ALL, "expires": "2030-01-31"}),
    "old": ("the old one", {**ALL, "expires": "2030-01-30"}),
    "brief": ("for a week", {**ALL, "ttl": "7d"}),
}

Request = Callable[..., Any]


@pytest.fixture
def backend() -> str:
    return "directory"  # tokens are checked before anything is stored


@pytest.fixture
def loaded(tmp_path: Path) -> tokens.Tokens:
    (tmp_path / "tokens").write_text(tokens_with_limits(TOKENS))
    return tokens.load(tmp_path / "tokens", ["read"])


@pytest.fixture
def protected(catalogue: Catalogue, loaded: tokens.Tokens) -> Client:
    return Client(app.create(catalogue, max_transfers=MAX_TRANSFERS, tokens=loaded))


@pytest.fixture
def ask(protected: Client) -> Request:
    def request(name: str, method: str, path: str, body: bytes = b"", kind: str = "", **headers: str) -> Any:
        if name:
            headers["authorization"] = f"Bearer {TOKENS[name][0]}"
        return protected.request(method, path, body, kind, **headers)

    return request


def create(ask: Request, name: str, file: str) -> Any:
    metadata = f"filename {base64.b64encode(file.encode()).decode()}"
    return ask(name, "POST", "/uploads", upload_length="3", upload_metadata=metadata, **TUS)


def errors(reason: str) -> float:
    return float(metrics.ERRORS.labels(reason)._value.get())


def test_a_token_with_a_prefix_is_for_names_that_begin_with_it(ask: Request) -> None:
    for name in ("ci-1", "other"):
        assert ask("owner", "PUT", f"/files/{name}", b"content").status == 201

    for name, allowed in (("ci-1", True), ("other", False), ("c", False), ("CI-1", False)):
        found = [ask("ci", method, f"/files/{name}").status for method in ("PUT", "GET", "HEAD", "DELETE")]
        assert found == ([200, 200, 200, 204] if allowed else [403] * 4)
        form = ask("ci", "POST", "/upload", file_form(name, b"x"), FORM)
        assert form.status == (201 if allowed else 403)
        download = ask("ci", "POST", "/download", f"name={name}".encode(), "application/x-www-form-urlencoded")
        assert download.status == (200 if allowed else 403)
        assert create(ask, "ci", name).status == (201 if allowed else 403)
    assert ask("owner", "GET", "/files/other").body == b"content"
    assert ask("ci", "GET", "/files/other").text == "error: the token \"ci\" is only for names that begin with 'ci-'\n"


def test_a_token_with_a_prefix_cannot_touch_the_resumable_uploads_of_others(ask: Request) -> None:
    other, own = (create(ask, "owner", name).headers["location"] for name in ("other", "ci-1"))
    bytes_ = {"kind": "application/offset+octet-stream", "upload_offset": "0", **TUS}

    assert [ask("ci", method, other, b"abc", **bytes_).status for method in ("HEAD", "PATCH", "DELETE")] == [403] * 3
    assert ask("ci", "POST", other, x_http_method_override="DELETE", **TUS).status == 403
    assert [ask("ci", method, own, b"abc", **bytes_).status for method in ("HEAD", "PATCH")] == [200, 204]


def test_a_token_with_a_prefix_lists_nothing_else(ask: Request) -> None:
    for name in ("a", "ci-1", "ci-2", "d"):
        ask("owner", "PUT", f"/files/{name}", b"x")

    def listed(query: str) -> list[str]:
        return [file["name"] for file in json.loads(ask("ci", "GET", f"/files{query}").text)]

    assert listed("") == listed("?prefix=c") == listed("?after=a") == ["ci-1", "ci-2"]
    assert listed("?prefix=ci-2") == ["ci-2"]
    assert ask("ci", "GET", "/files?prefix=d").status == 403
    assert "prefix=ci-" in ask("ci", "GET", "/files?limit=1").headers["link"]


def test_a_token_is_valid_until_the_end_of_its_last_day(ask: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    before = errors("expired_token")
    monkeypatch.setattr(tokens, "datetime", Mock(now=lambda _: NOW))

    assert ask("new", "PUT", "/files/x", b"x").status == 201
    refused = ask("old", "PUT", "/files/x", b"x")

    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "expired at the end of 2030-01-30" in refused.text
    assert errors("expired_token") == before + 1


def test_what_is_stored_without_an_expiry_gets_the_token_s(ask: Request) -> None:
    ask("brief", "PUT", "/files/put", b"x")
    ask("brief", "PUT", "/files/longer?ttl=30d", b"x")
    ask("brief", "PUT", "/files/until?expires=2099-01-01", b"x")
    ask("brief", "PUT", "/files/once?max-downloads=1", b"x")
    ask("brief", "POST", "/upload", file_form("form", b"x"), FORM)
    path = create(ask, "brief", "tus").headers["location"]
    ask("brief", "PATCH", path, b"abc", "application/offset+octet-stream", upload_offset="0", **TUS)
    ask("owner", "PUT", "/files/kept", b"x")

    listed = json.loads(ask("owner", "GET", "/files").text)
    days = {
        file["name"]: file["expires"]
        and (datetime.fromisoformat(file["expires"]) - datetime.now(UTC) + timedelta(hours=1)).days
        for file in listed
    }
    assert days.pop("until") > 10_000
    assert days == {"put": 7, "form": 7, "tus": 7, "once": 7, "longer": 30, "kept": None}


def test_without_a_token_only_what_is_anonymous_is_allowed(ask: Request, protected: Client) -> None:
    ask("owner", "PUT", "/files/x", b"content")

    assert ask("", "GET", "/files/x").body == b"content"
    assert ask("", "GET", "/files").status == 200
    for method, path in (("PUT", "/files/x"), ("DELETE", "/files/x"), ("POST", "/upload"), ("POST", "/uploads")):
        assert ask("", method, path).status == 401
    assert protected.request("GET", "/files/x", authorization="Bearer wrong").status == 401


def test_two_names_let_an_old_and_a_new_token_be_valid_side_by_side(ask: Request) -> None:
    assert [ask(name, "PUT", "/files/x", b"x").status for name in ("owner", "new")] == [201, 200]


def test_wrong_tokens_are_counted_apart_from_missing_ones(protected: Client) -> None:
    before = errors("wrong_token"), errors("no_token")

    for header in ("Bearer wrong", "Bearer ", "Basic b3duZXI6"):
        protected.request("PUT", "/files/x", authorization=header)
    protected.request("PUT", "/files/x")

    assert (errors("wrong_token"), errors("no_token")) == (before[0] + 3, before[1] + 1)


@pytest.mark.parametrize("token", ["the owner", "for a week", "wrong", ""])
def test_comparing_a_token_takes_the_same_steps_for_each(
    loaded: tokens.Tokens, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or compare(a, b))

    try:
        loaded.holder(f"Bearer {token}", "read")
    except RefusedError:
        assert token in ("wrong", "")

    assert compared == [(32, 32)] * len(TOKENS)
