"""The request's headers as they came. Bottle's own view raises at bytes that are no UTF-8, and lowers boundaries."""

from collections.abc import Iterator, Mapping

from bottle import request


def content_type() -> str:
    """The body's type with its parameters; empty if there is none."""
    found: str = request.environ.get("CONTENT_TYPE", "")
    return found


class _Headers(Mapping[str, str]):
    def __getitem__(self, name: str) -> str:
        return str(request.environ[f"HTTP_{name.upper().replace('-', '_')}"])

    def __iter__(self) -> Iterator[str]:
        return (name[5:].replace("_", "-") for name in request.environ if name.startswith("HTTP_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


ALL = _Headers()
"""Those of the request at hand, by their names in any case."""
