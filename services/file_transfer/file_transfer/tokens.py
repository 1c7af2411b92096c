"""Bearer tokens and their scopes, read from a file with the tokens' SHA-256: it is of no use to whoever reads it."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from file_transfer.errors import RefusedError

READ, WRITE, DELETE = "read", "write", "delete"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TokensError(ValueError):
    """The file of tokens is invalid. The message says why, and never contains a token."""


@dataclass(frozen=True)
class Token:
    """A token's name, which appears in the log, the SHA-256 of its text, and its scopes."""

    name: str
    digest: bytes
    scopes: frozenset[str]


class Tokens:
    """All valid tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens

    def name_for(self, header: str, scope: str) -> str:
        """Return the name of the token in an Authorization header, if it has the scope.

        Raises:
            RefusedError: 401 if the token is missing or unknown, 403 if it lacks the scope.
        """
        kind, _, text = header.strip().partition(" ")
        digest = hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for token in self._tokens:  # always all of them, so that the time taken reveals nothing
            if hmac.compare_digest(token.digest, digest):
                found = token
        if kind.lower() != "bearer" or not found:
            raise RefusedError(401, "a valid token is needed: send it with curl -H 'Authorization: Bearer TOKEN'")
        if scope not in found.scopes:
            raise RefusedError(403, f'the token "{found.name}" does not have the scope "{scope}"')
        return found.name


def load(path: Path) -> Tokens:
    """Read tokens from JSON such as `{"ci": {"sha256": "…", "scopes": ["read", "write"]}}`, with 64 hex digits.

    Raises:
        TokensError: the file has another content.
    """
    try:
        listed = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TokensError(f"{path} cannot be read as JSON: {type(error).__name__}") from None
    if not isinstance(listed, Mapping) or not listed:
        raise TokensError(f"{path} has no tokens: add at least one")
    return Tokens([_token(path, name, entry) for name, entry in listed.items()])


def _token(path: Path, name: str, entry: object) -> Token:
    digest = entry.get("sha256") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise TokensError(f'{path}: {name!a} has no token: give it the token\'s "sha256" (`sha256sum`) and "scopes"')
    scopes = entry.get("scopes")
    if not isinstance(scopes, list) or not scopes or any(scope not in (READ, WRITE, DELETE) for scope in scopes):
        raise TokensError(f"{path}: {name!a} has invalid scopes: list one or more of read, write, delete")
    return Token(name, bytes.fromhex(digest), frozenset(scopes))
