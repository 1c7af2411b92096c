"""The raw headers of the request. Bottle's own view fails on invalid UTF-8, and turns boundaries into lower case."""

from collections.abc import Iterator, Mapping

from bottle import request


def content_type() -> str:
    """Return the Content-Type with its parameters, or an empty text if there is none."""
    found: str = request.environ.get("CONTENT_TYPE", "")
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
