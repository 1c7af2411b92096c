"""Bearer tokens and their scopes, read from a file with the tokens' SHA-256: it is of no use to whoever reads it."""

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from file_transfer import lifetime, names
from file_transfer.errors import ExpiredTokenError, ForbiddenError, InvalidRequestError, NoTokenError, WrongTokenError

READ, WRITE, DELETE = "read", "write", "delete"
SCOPES = (READ, WRITE, DELETE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TokensError(ValueError):
    """The file of tokens is invalid. The message says why, and never contains a token."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a token is and allows.

    `name` appears in the log, `digest` is the SHA-256 of its text. It gives access to names that begin with `prefix`,
    until the end of the day `expires` in UTC. A file that is stored with it without an expiry is kept for the time
    `ttl`, such as `7d`. All that is stored with it may have `quota_bytes`; 0 means no limit.
    """

    name: str
    digest: bytes = b""
    scopes: frozenset[str]
    prefix: str = ""
    expires: date | None = None
    ttl: str = ""
    quota_bytes: int = 0


class Tokens:
    """All valid tokens. Requests without one have the scopes `anonymous`."""

    def __init__(self, tokens: list[Token], anonymous: Collection[str] = ()) -> None:
        self._tokens = tokens
        self._anonymous = Token(name="", scopes=frozenset(anonymous))

    @property
    def names(self) -> list[str]:
        """The names of all valid tokens."""
        return [token.name for token in self._tokens]

    def holder(self, header: str, scope: str) -> Token:
        """Return the token in an Authorization header, if it has the scope.

        Raises:
            NoTokenError: the header is empty.
            WrongTokenError: it has no token, or an unknown one.
            ExpiredTokenError: the token has expired.
            ForbiddenError: the token lacks the scope.
        """
        if not header and scope in self._anonymous.scopes:
            return self._anonymous
        kind, _, text = header.strip().partition(" ")
        digest = hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for token in self._tokens:  # always all of them, so that the time taken reveals nothing
            if hmac.compare_digest(token.digest, digest):
                found = token
        if kind.lower() != "bearer" or not found:
            error = WrongTokenError if header else NoTokenError
            raise error("a valid token is needed: send it with curl -H 'Authorization: Bearer TOKEN'")
        if found.expires and datetime.now(UTC).date() > found.expires:
            raise ExpiredTokenError(
                f'the token "{found.name}" expired at the end of {found.expires} (UTC): ask for a new one'
            )
        if scope not in found.scopes:
            raise ForbiddenError(f'the token "{found.name}" does not have the scope "{scope}"')
        return found


def load(path: Path, anonymous: Collection[str] = ()) -> Tokens:
    """Read tokens from JSON such as `{"ci": {"sha256": "…", "scopes": ["read", "write"]}}`, with 64 hex digits.

    A token can also have a `prefix`, a date `expires` (ISO 8601), a `ttl`, and `quota_bytes`.

    Raises:
        TokensError: the file has another content.
    """
    try:
        listed = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TokensError(f"{path} cannot be read as JSON: {type(error).__name__}") from None
    if not isinstance(listed, Mapping) or not listed:
        raise TokensError(f"{path} has no tokens: add at least one")
    return Tokens([_token(path, name, entry) for name, entry in listed.items()], anonymous)


def _token(path: Path, name: str, entry: object) -> Token:
    if not name or not name.isprintable():  # what is stored with the token is counted by it
        raise TokensError(f"{path} has a token named {name!a}: give it a name of printable characters")
    digest = entry.get("sha256") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise TokensError(f'{path}: {name!a} has no token: give it the token\'s "sha256" (`sha256sum`) and "scopes"')
    scopes = entry.get("scopes")
    if not isinstance(scopes, list) or not scopes or any(scope not in SCOPES for scope in scopes):
        raise TokensError(f"{path}: {name!a} has invalid scopes: list one or more of read, write, delete")
    if unknown := entry.keys() - {"sha256", "scopes", "prefix", "expires", "ttl", "quota_bytes"}:
        raise TokensError(f"{path}: {name!a} has an unknown entry {min(unknown)!a}: remove it")
    limits = {field: entry[field] for field in ("prefix", "expires", "ttl") if field in entry}
    invalid = f'{path}: {name!a} has an invalid "prefix", "expires" or "ttl": give texts like "ci-", "2030-01-31", "7d"'
    if not all(limits.values()):  # it may come from a variable that is not set, and would limit nothing
        raise TokensError(invalid)
    prefix, expires, ttl = (limits.get(field, "") for field in ("prefix", "expires", "ttl"))
    quota = entry.get("quota_bytes", 0)
    if "quota_bytes" in entry and (type(quota) is not int or quota < 1):
        raise TokensError(f'{path}: {name!a} has an invalid "quota_bytes": give a whole number of bytes, 1 or more')
    try:
        if ttl:
            lifetime.parse({"ttl": ttl}, datetime.now(UTC))
        return Token(
            name=name,
            digest=bytes.fromhex(digest),
            scopes=frozenset(scopes),
            prefix=names.checked_part("prefix", prefix),
            expires=date.fromisoformat(expires) if expires else None,
            ttl=ttl,
            quota_bytes=quota,
        )
    except names.NameRefusedError as error:
        raise TokensError(f"{path}: {name!a}: {error}") from None
    except (InvalidRequestError, ValueError, TypeError):
        raise TokensError(invalid) from None
