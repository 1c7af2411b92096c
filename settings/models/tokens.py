"""Who may do what with the files."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from settings.models.base import Model, matching

Scope = Literal["read", "write", "delete"]

_MIN_LENGTH = 32
_TTL = r"([1-9][0-9]{0,8}s?|[1-9][0-9]{0,6}m|[1-9][0-9]{0,4}h|[1-9][0-9]{0,3}d)?"  # some decades at most


class Token(Model):
    """Whoever has this token may do what its scopes say."""

    token: SecretStr
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    prefix: Annotated[
        str,
        Field(max_length=255),
        matching(
            r"[^\x00-\x1f/\\]*", "the beginning of file names, without slashes, backslashes and control characters"
        ),
    ] = ""
    """The token is for files only whose names begin with this."""
    expires: date | None = None
    """The last day, in UTC, on which the token is valid."""
    ttl: Annotated[str, matching(_TTL, "a time such as 90s, 30m, 12h or 7d, of some decades at most")] = ""
    """How long a file is kept that is uploaded without an expiry, such as 7d; without it, for ever."""
    quota_bytes: Annotated[int, Field(ge=1)] | None = None
    """The most bytes of all files stored and uploads begun with it; without it, only the quota of all files counts."""

    @field_validator("token")
    @classmethod
    def _long(cls, token: SecretStr) -> SecretStr:
        if len(token) < _MIN_LENGTH:
            raise ValueError(f"has {len(token)} characters, fewer than {_MIN_LENGTH}: `make token` makes one")
        return token
