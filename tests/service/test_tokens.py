"""Tokens and their scopes."""

from pathlib import Path

import pytest
from client import MAX_TRANSFERS, Client
from token_files import sha256, tokens_file

from file_transfer import app, tokens
from file_transfer.catalogue import Catalogue

TOKENS = {
    "reader": ("reader-reader-reader", ["read"]),
    "writer": ("writer-writer-writer", ["write"]),
    "owner": ("owner-owner-owner-owner", ["read", "write", "delete"]),
}


@pytest.fixture
def protected(catalogue: Catalogue, tmp_path: Path) -> Client:
    (tmp_path / "tokens").write_text(tokens_file(TOKENS))
    return Client(app.create(catalogue, max_transfers=MAX_TRANSFERS, tokens=tokens.load(tmp_path / "tokens")))


def bearer(name: str) -> str:
    return f"Bearer {TOKENS[name][0]}"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/upload", "writer"),
        ("POST", "/download", "reader"),
        ("GET", "/files", "reader"),
        ("PUT", "/files/x", "writer"),
        ("GET", "/files/x", "reader"),
        ("HEAD", "/files/x", "reader"),
        ("DELETE", "/files/x", "owner"),
        ("POST", "/uploads", "writer"),
        ("HEAD", "/uploads/x", "writer"),
        ("PATCH", "/uploads/x", "writer"),
        ("DELETE", "/uploads/x", "writer"),
    ],
)
def test_every_route_requires_its_scope(protected: Client, method: str, path: str, scope: str) -> None:
    refused = protected.request(method, path)
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in (
        "Bearer nonsense",
        "Basic cmVhZGVyOnJlYWRlcg==",
        TOKENS[scope][0],
        f"Bearer {sha256(TOKENS[scope][0])}",
        "Bearer ",
    ):
        assert protected.request(method, path, authorization=wrong).status == 401
    for name in TOKENS:
        allowed = name in (scope, "owner")
        assert (protected.request(method, path, authorization=bearer(name)).status == 403) is not allowed


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_routes_that_reveal_nothing_about_files_need_no_token(protected: Client, path: str) -> None:
    assert protected.request("GET", path).status == 200


def test_a_refusal_names_the_token_and_never_shows_it(protected: Client) -> None:
    response = protected.request("DELETE", "/files/x", authorization=bearer("reader"))

    assert response.text == 'error: the token "reader" does not have the scope "delete"\n'


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("nonsense", "cannot be read as JSON"),
        ("{}", "has no tokens"),
        ("[]", "has no tokens"),
        ('{"a": {}}', "'a' has no token"),
        ('{"a": {"sha256": "not a digest", "scopes": ["read"]}}', "'a' has no token"),
        (
            '{"a": {"token": "0123456789abcdef", "scopes": ["read"]}}',
            "'a' has no token: give it the token's \"sha256\"",
        ),
        (f'{{"a": {{"sha256": "{"0" * 64}"}}}}', "'a' has invalid scopes: list one or more of read, write, delete"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["all"]}}}}', "'a' has invalid scopes"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": [["read"]]}}}}', "'a' has invalid scopes"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "until": "x"}}}}', "has an unknown entry 'until'"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "expires": "soon"}}}}', "'a' has an invalid"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "ttl": "soon"}}}}', "'a' has an invalid"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "ttl": 7}}}}', "'a' has an invalid"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "prefix": 7}}}}', "'a' has an invalid"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "prefix": ""}}}}', "'a' has an invalid"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "expires": ""}}}}', "'a' has an invalid"),
        (f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "ttl": null}}}}', "'a' has an invalid"),
        *(
            (
                f'{{"a": {{"sha256": "{"0" * 64}", "scopes": ["read"], "quota_bytes": {quota}}}}}',
                "'a' has an invalid \"quota",
            )
            for quota in ("0", "-1", "1.5", '"5 GB"', "true", "null")
        ),
        *((f'{{"{name}": {{}}}}', "give it a name of printable characters") for name in ("", "a\\u0000", "\\ud800")),
    ],
)
def test_invalid_tokens_are_reported(tmp_path: Path, content: str, error: str) -> None:
    (tmp_path / "tokens").write_text(content)

    with pytest.raises(tokens.TokensError, match=error):
        tokens.load(tmp_path / "tokens")
