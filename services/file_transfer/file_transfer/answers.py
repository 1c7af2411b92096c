"""Answers as users read them: one line of text, or JSON for those who ask for it."""

import json
from typing import Any

from bottle import HTTPResponse

from file_transfer import conditions, digests, headers, metrics, names
from file_transfer.errors import kind_of
from file_transfer.stored_file import StoredFile

RETRY_SECONDS = 5

# Nothing that this service sends may be run by a browser, but its own page, which says so itself.
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


def text(status: int, line: str, document: object = None, **further: str) -> HTTPResponse:
    """One line, or the document for those who ask for JSON."""
    if document is not None and "application/json" in headers.ALL.get("Accept", ""):
        return json_document(status, document, **further)
    return HTTPResponse(f"{line}\n", status, {"Content-Type": "text/plain; charset=utf-8", **_SAFETY, **further})


def json_document(status: int, document: object, **further: str) -> HTTPResponse:
    """JSON, whatever was asked for."""
    content = json.dumps(document, ensure_ascii=False) + "\n"
    return HTTPResponse(content, status, {"Content-Type": "application/json", **_SAFETY, **further})


def empty(status: int, **further: str) -> HTTPResponse:
    """No content, only headers, with «_» for «-» in their names."""
    return HTTPResponse("", status, {**_SAFETY, **{name.replace("_", "-"): value for name, value in further.items()}})


def refusal(status: int, reason: str, kind: str = "") -> HTTPResponse:
    """Why not; counted under `kind`, or what the status says."""
    metrics.ERRORS.labels(kind or kind_of(status)).inc()
    answer = text(status, f"error: {reason}", {"error": reason})
    if status in (423, 503):
        answer.set_header("Retry-After", str(RETRY_SECONDS))
    if status == 401:
        answer.set_header("WWW-Authenticate", "Bearer")
    return answer


def stored(status: int, files: list[StoredFile]) -> HTTPResponse:
    """Files that have just been stored: a line each."""
    lines = "\n".join(f"{file.name} {file.size} bytes sha256:{file.sha256}" for file in files)
    described = [file.described() for file in files]
    if len(files) != 1:
        return text(status, lines, described)
    return text(status, lines, described[0], ETag=files[0].etag)


def headers_of(file: StoredFile) -> dict[str, Any]:
    """What a download says of the file; a browser saves it and never shows it."""
    return {
        **_SAFETY,
        "Accept-Ranges": "bytes",
        "Content-Disposition": names.content_disposition(file.name),
        "ETag": file.etag,
        "Last-Modified": conditions.written(file.modified),
        "Repr-Digest": digests.field(file.sha256),
    }
