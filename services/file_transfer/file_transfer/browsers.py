"""Keeps the pages of other sites from changing or reading anything here through their visitors' browsers.

Such a page can send forms to any address that its visitor's browser reaches, without asking first. It can also give its
own name the address of this service (DNS rebinding), and then has the same origin as the service.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from file_transfer.errors import ForeignHostError, ForeignPageError, InvalidRequestError

_HARMLESS = ("GET", "HEAD", "OPTIONS")
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
HOST_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
"""A name of this service in the settings."""

ORIGIN = re.compile(rf"https?://({_LABEL}(\.{_LABEL})*|\[[0-9a-f:]+\])(:[0-9]{{1,5}})?")
"""An origin in the settings."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@/]+)(:[0-9]*)?", re.IGNORECASE)

_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, "
        "If-Unmodified-Since, Range, Repr-Digest, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, "
        "Upload-Offset, X-HTTP-Method-Override"
    ),
    "Access-Control-Max-Age": "600",
}
_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Link, Location, Repr-Digest, Retry-After, "
    "Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Expires, Upload-Length, "
    "Upload-Metadata, Upload-Offset, X-Request-ID"
)


@dataclass(frozen=True, kw_only=True)
class Browsers:
    """The names of this service, and the origins whose pages may use it.

    `hosts` are the names with a dot, such as `files.example.org`, or `*.example.org` for its direct subdomains.
    Addresses and names without a dot always are names of this service, since no other site can own them.
    `origins` are those of other pages, such as `https://app.example.org`.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def check(self, environ: Mapping[str, Any]) -> None:
        """Check the headers that a browser adds to a request. No script can change or omit them.

        Raises:
            InvalidRequestError: the Host header is no host.
            ForeignHostError: the request is for another host.
            ForeignPageError: the page of another site sent the request, which might change something.
        """
        host = environ.get("HTTP_HOST", "")
        if host and not self._is_ours(_name(host)):
            raise ForeignHostError(
                f"this service is not known as {host[:100]!a}: use an address, or add the name to allowed_hosts"
            )
        if environ["REQUEST_METHOD"] in _HARMLESS:
            return
        origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
        if origin in self.origins or (origin is None and site is None):
            return
        # Without TLS, a browser says only the origin. It is `null` for a page that hides it.
        is_ours = (
            site in ("same-origin", "none") if site else (origin or "").partition("://")[2].lower() == host.lower()
        )
        if not is_ours:
            raise ForeignPageError("the page of another site has sent this: its origin is not in allowed_origins")

    def preflight(self, environ: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the answer to a browser that asks what a page of another origin may do, or None if none asks.

        The answer is for the origins that are allowed. Any other page learns nothing, and its browser sends no more.
        """
        is_asked = environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        return _ALLOWED if is_asked and environ.get("HTTP_ORIGIN") in self.origins else None

    def headers(self, environ: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers with which a page of an allowed origin may read the response."""
        if not self.origins:
            return {}
        origin = environ.get("HTTP_ORIGIN")
        if origin not in self.origins:
            return {"Vary": "Origin"}
        return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}

    def _is_ours(self, name: str) -> bool:
        return not name or name in self.hosts or f"*.{name.partition('.')[2]}" in self.hosts


@lru_cache(maxsize=1024)
def _name(host: str) -> str:
    """Return the name in a Host header, or an empty text if it is an address or has no dot.

    Raises:
        InvalidRequestError: the header is neither.
    """
    found = _HOST.fullmatch(host)
    if not found:
        raise InvalidRequestError(f"Host is {host[:100]!a}: send a name or an address")
    name = found[1].lower().rstrip(".")
    # Where the last label is a number, browsers and resolvers read an IPv4 address.
    is_address = name.startswith("[") or name.rpartition(".")[2].isdecimal()
    return "" if is_address or "." not in name else name
