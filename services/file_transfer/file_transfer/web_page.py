"""The web page at /: its files, and headers that keep everything else out of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).parent / "page"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.svg": ("page.svg", "image/svg+xml"),
    "/page.transfer.js": ("page.transfer.js", "text/javascript; charset=utf-8"),
    "/page.words.js": ("page.words.js", "text/javascript; charset=utf-8"),
}

PATHS = tuple(_FILES)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True)
class Response:
    """The response to a request for one of `PATHS`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def response(path: str, if_none_match: str = "") -> Response:
    """Return the file for one of `PATHS`, or 304 if the header If-None-Match has its current ETag.

    Raises:
        KeyError: the path is not one of `PATHS`.
    """
    full = _RESPONSES[path]
    client_tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if client_tags & {full.headers["ETag"], "*"}:
        headers = {
            name: value for name, value in full.headers.items() if name not in ("Content-Type", "Content-Length")
        }
        return Response(304, headers, b"")
    return full


def _full_response(file: str, content_type: str) -> Response:
    content = (_FOLDER / file).read_bytes()
    return Response(
        200,
        MappingProxyType(
            {
                "Content-Type": content_type,
                "Content-Length": str(len(content)),
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                # The browser must revalidate every time, or an old script could run in a new page after an update.
                "Cache-Control": "no-cache",
                "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            }
        ),
        content,
    )


_RESPONSES = {path: _full_response(*file) for path, file in _FILES.items()}
