"""What the token of the current request allows: names of files, their lifetime without an expiry, and their room."""

from collections.abc import Mapping

from bottle import request

from file_transfer import names
from file_transfer.errors import ForbiddenError
from file_transfer.limits import NOBODY, Owner
from file_transfer.tokens import Token

_HOLDER = "file_transfer.holder"


def grant(token: Token) -> None:
    """Handle the current request with this token."""
    request.environ[_HOLDER] = token


def name(text: str) -> str:
    """Return the checked name of a file that may exist.

    Raises:
        NameRefusedError: it is no name.
        ForbiddenError: the token is not for this name.
    """
    return _granted(names.checked(text))


def new_name(text: str | None) -> str:
    """Return the checked name under which a file is to be stored.

    Raises:
        NameRefusedError: no file may have this name.
        ForbiddenError: the token is not for this name.
    """
    return _granted(names.checked_new(text))


def prefix(text: str) -> str:
    """Return the prefix of the names that a list with this prefix may have.

    Raises:
        ForbiddenError: the token is for none of them.
    """
    ours = _prefix()
    return ours if ours.startswith(text) else _granted(text)


def with_ttl(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a lifetime, with the token's `ttl` if they say nothing about the time."""
    holder: Token | None = request.environ.get(_HOLDER)
    is_given = "ttl" in fields or "expires" in fields
    return {**fields, "ttl": holder.ttl} if holder and holder.ttl and not is_given else dict(fields)


def owner() -> Owner:
    """Return for whom counts what is stored by the request."""
    holder: Token | None = request.environ.get(_HOLDER)
    return Owner(name=holder.name, quota=holder.quota_bytes) if holder else NOBODY


def _granted(text: str) -> str:
    ours = _prefix()
    if not text.startswith(ours):
        token = request.environ[_HOLDER].name
        raise ForbiddenError(f'the token "{token}" is only for names that begin with {names.printable(ours)}')
    return text


def _prefix() -> str:
    holder: Token | None = request.environ.get(_HOLDER)
    return holder.prefix if holder else ""
