"""The web page at /: files that ship with the service, and headers that let nothing else into it."""

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
class Answer:
    """What a server sends for one of `PATHS`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def answer(path: str, if_none_match: str = "") -> Answer:
    """One of `PATHS`, or 304 if the asker's copy, as its header If-None-Match names it, is still the right one.

    Raises:
        KeyError: the page has no such file.
    """
    whole = _ANSWERS[path]
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if known & {whole.headers["ETag"], "*"}:
        kept = {name: value for name, value in whole.headers.items() if name not in ("Content-Type", "Content-Length")}
        return Answer(304, kept, b"")
    return whole


def _whole(file: str, content_type: str) -> Answer:
    content = (_FOLDER / file).read_bytes()
    return Answer(
        200,
        MappingProxyType(
            {
                "Content-Type": content_type,
                "Content-Length": str(len(content)),
                "Content-Security-Policy": CONTENT_SECURITY_POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                # Ask every time: after an update no old script may meet a new page.
                "Cache-Control": "no-cache",
                "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            }
        ),
        content,
    )


_ANSWERS = {path: _whole(*file) for path, file in _FILES.items()}
