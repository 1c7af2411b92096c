"""Who may do what: bearer tokens with scopes, from a file that the replica is given as a secret."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from file_transfer.errors import RefusedError

READ, WRITE, DELETE = "read", "write", "delete"
_MIN_LENGTH = 16


class TokensError(ValueError):
    """The file cannot be used; the text says why, and never holds a token."""


@dataclass(frozen=True)
class Token:
    """Its name, for the log; the SHA-256 of its text; what it opens."""

    name: str
    digest: bytes
    scopes: frozenset[str]


class Tokens:
    """All tokens that open anything."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens

    def name_for(self, header: str, scope: str) -> str:
        """The name of the token in an Authorization header, if it has the scope.

        Raises:
            RefusedError: 401 without a token that is known, 403 if it lacks the scope.
        """
        kind, _, text = header.strip().partition(" ")
        digest = hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for token in self._tokens:  # all of them, every time: the time tells nothing
            if hmac.compare_digest(token.digest, digest):
                found = token
        if kind.lower() != "bearer" or not found:
            raise RefusedError(401, "a token is needed: curl -H 'Authorization: Bearer TOKEN' sends one")
        if scope not in found.scopes:
            raise RefusedError(403, f"the token «{found.name}» does not have the scope «{scope}»")
        return found.name


def load(path: Path) -> Tokens:
    """Read JSON such as `{"ci": {"token": "…", "scopes": ["read", "write"]}}`.

    Raises:
        TokensError: it is something else.
    """
    try:
        listed = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TokensError(f"{path} cannot be read as JSON: {type(error).__name__}") from None
    if not isinstance(listed, Mapping) or not listed:
        raise TokensError(f"{path} holds no tokens: name at least one")
    return Tokens([_token(path, name, entry) for name, entry in listed.items()])


def _token(path: Path, name: str, entry: object) -> Token:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("token"), str):
        raise TokensError(f"{path}: {name!a} has no token: give it «token» and «scopes»")
    if len(entry["token"]) < _MIN_LENGTH:
        raise TokensError(f"{path}: the token of {name!a} has less than {_MIN_LENGTH} characters: make it longer")
    scopes = entry.get("scopes")
    if not isinstance(scopes, list) or not scopes or any(scope not in (READ, WRITE, DELETE) for scope in scopes):
        raise TokensError(f"{path}: the scopes of {name!a} are not of read, write, delete")
    return Token(name, hashlib.sha256(entry["token"].encode()).digest(), frozenset(scopes))
