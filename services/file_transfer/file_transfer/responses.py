"""Responses for users: one line of text, or JSON if the request accepts it."""

import json
from typing import Any

from bottle import HTTPResponse

from file_transfer import conditions, digests, headers, metrics, names
from file_transfer.stored_file import StoredFile

RETRY_SECONDS = 5

# A browser must not run anything that this service sends. Only the web page has headers of its own.
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def text(status: int, line: str, document: object = None, **extra_headers: str) -> HTTPResponse:
    """Return one line of text, or the document if the request accepts JSON."""
    if document is not None and "application/json" in headers.REQUEST.get("Accept", ""):
        return json_document(status, document, **extra_headers)
    return HTTPResponse(
        f"{line}\n", status, {"Content-Type": "text/plain; charset=utf-8", **SECURITY_HEADERS, **extra_headers}
    )


def json_document(status: int, document: object, **extra_headers: str) -> HTTPResponse:
    """Return the document as JSON, whatever the request accepts."""
    content = json.dumps(document, ensure_ascii=False) + "\n"
    return HTTPResponse(content, status, {"Content-Type": "application/json", **SECURITY_HEADERS, **extra_headers})


def empty(status: int, **extra_headers: str) -> HTTPResponse:
    """Return a response without content. The names of headers are written with `_` for `-`."""
    return HTTPResponse(
        "", status, {**SECURITY_HEADERS, **{name.replace("_", "-"): value for name, value in extra_headers.items()}}
    )


def error(status: int, reason: str, kind: str) -> HTTPResponse:
    """Return an error with one line for the user, and count it under `kind`."""
    metrics.ERRORS.labels(kind).inc()
    response = text(status, f"error: {reason}", {"error": reason})
    if status == 503:
        response.set_header("Retry-After", str(RETRY_SECONDS))
    if status == 401:
        response.set_header("WWW-Authenticate", "Bearer")
    return response


def stored(status: int, files: list[StoredFile]) -> HTTPResponse:
    """Return one line for each file that has just been stored, or JSON."""
    lines = "\n".join(f"{file.name} {file.size} bytes sha256:{file.sha256}" for file in files)
    documents = [file.to_json() for file in files]
    if len(files) != 1:
        return text(status, lines, documents)
    return text(status, lines, documents[0], ETag=files[0].etag)


def file_headers(file: StoredFile) -> dict[str, Any]:
    """Return the headers of a download. They make a browser save the file and never show it."""
    return {
        **SECURITY_HEADERS,
        "Accept-Ranges": "bytes",
        # A cache must ask whether its copy is current, since a file can be replaced or expire at any time.
        "Cache-Control": "no-cache",
        "Content-Disposition": names.content_disposition(file.name),
        "ETag": file.etag,
        "Last-Modified": conditions.http_date(file.modified),
        "Repr-Digest": digests.repr_digest(file.sha256),
    }
