"""The raw headers of the request. Bottle's own view fails on invalid UTF-8, and turns boundaries into lower case."""

from collections.abc import Iterator, Mapping

from bottle import request

from file_transfer import whole_numbers
from file_transfer.errors import InvalidRequestError


def content_type() -> str:
    """Return the Content-Type with its parameters, or an empty text if there is none."""
    found: str = request.environ.get("CONTENT_TYPE", "")
    return found


def content_length() -> int:
    """Return the Content-Length in bytes, or -1 if there is none.

    Raises:
        InvalidRequestError: it is not a number of bytes.
    """
    text = request.environ.get("CONTENT_LENGTH")
    if not text:
        return -1
    length = whole_numbers.parse(text)
    if length is None:
        raise InvalidRequestError(f"Content-Length is {text[:40]!a}: send a number of bytes")
    return length


def client() -> str:
    """Return the client's address as the edge saw it. It is empty if there is no edge."""
    found: str = request.environ.get("HTTP_X_FORWARDED_FOR", "")
    return found


class _Headers(Mapping[str, str]):
    def __getitem__(self, name: str) -> str:
        return str(request.environ[f"HTTP_{name.upper().replace('-', '_')}"])

    def __iter__(self) -> Iterator[str]:
        return (name[5:].replace("_", "-") for name in request.environ if name.startswith("HTTP_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


REQUEST = _Headers()
"""The headers of the current request; names are case-insensitive."""
