"""The routes under /files, with the semantics of HTTP (RFC 9110)."""

from collections.abc import Generator
from typing import Any
from urllib.parse import quote, urlencode

from bottle import HTTPResponse, request

from file_transfer import (
    bodies,
    conditions,
    digests,
    headers,
    lifetime,
    metrics,
    names,
    queries,
    ranges,
    responses,
    whole_numbers,
)
from file_transfer.catalogue import Catalogue
from file_transfer.errors import RefusedError
from file_transfer.ranges import Range, UnsatisfiableError
from file_transfer.slots import FileBody, Slot, Slots, StreamedBody
from file_transfer.storage import Content
from file_transfer.stored_file import StoredFile, now

_LIST_FIELDS = ("prefix", "after", "limit")
_PAGE_SIZE = 1000
_MAX_IN_MEMORY = 64 * 1024
"""Bytes up to which reading a file into memory is faster than sendfile."""


class FileRoutes:
    """PUT, GET, HEAD and DELETE of a file, and the list of files."""

    def __init__(self, catalogue: Catalogue, slots: Slots) -> None:
        self._catalogue = catalogue
        self._slots = slots

    def put(self, name: str) -> HTTPResponse:
        """Store the body under the name."""
        name = names.checked(name)
        requested = lifetime.parse(queries.parse(lifetime.FIELDS), now())
        condition = conditions.parse(headers.REQUEST)
        expected = digests.declared(headers.REQUEST)
        for unsupported in ("Content-Range", "Content-Encoding"):
            if headers.REQUEST.get(unsupported):
                raise RefusedError(400, f"{unsupported} is not supported: send the whole file without encoding")
        length = headers.content_length()
        if condition != conditions.NONE:
            condition.check_change(self._catalogue.find(name))  # early, before the client sends the file in vain
        with self._slots.take(), self._catalogue.receive(length) as incoming_file:
            for data in bodies.blocks(request.environ["wsgi.input"], length):
                incoming_file.write(data)
            digests.check(expected, incoming_file.sha256)
            file, is_new = incoming_file.publish(name, requested, condition)
        metrics.RECEIVED.inc(file.size)
        return responses.stored(201 if is_new else 200, [file])

    def head(self, name: str) -> HTTPResponse:
        """Return the headers that GET would return."""
        file = self._catalogue.look_up(names.checked(name))
        if conditions.parse(headers.REQUEST).is_fresh(file):
            return HTTPResponse("", 304, responses.file_headers(file))
        return HTTPResponse("", 200, _headers(file))

    def get(self, name: str) -> HTTPResponse:
        """Return the file, or a range of it."""
        name = names.checked(name)
        file = self._catalogue.look_up(name)
        if conditions.parse(headers.REQUEST).is_fresh(file):
            return HTTPResponse("", 304, responses.file_headers(file))
        try:
            byte_range = ranges.parse(headers.REQUEST.get("Range"), headers.REQUEST.get("If-Range"), file)
        except UnsatisfiableError:
            response = responses.error(416, f"the file has only {file.size} bytes: request a range within them")
            response.set_header("Content-Range", f"bytes */{file.size}")
            return response
        return self.send(file, byte_range)

    def send(self, file: StoredFile, byte_range: Range | None = None) -> HTTPResponse:
        """Return the content. It holds a slot until it has been sent, and counts as one of the downloads left."""
        headers = _headers(file)
        if byte_range:
            last = byte_range.start + byte_range.size - 1
            headers["Content-Length"] = str(byte_range.size)
            headers["Content-Range"] = f"bytes {byte_range.start}-{last}/{file.size}"
        sent_range = byte_range or Range(0, file.size)
        slot = self._slots.take()
        try:
            if file.downloads_left is not None:
                self._catalogue.count_download(file)
            if not sent_range.size:
                slot.give_back()
                return HTTPResponse("", 200, headers)
            content = self._catalogue.open(file, sent_range)
            body = self._body(content, sent_range.size, slot)
        except BaseException:
            slot.give_back()
            raise
        metrics.SENT.inc(sent_range.size)
        return HTTPResponse(body, 206 if byte_range else 200, headers)

    def _body(self, content: Content, size: int, slot: Slot) -> StreamedBody | FileBody | bytes:
        if isinstance(content, Generator):
            return StreamedBody(content, slot)
        if size > _MAX_IN_MEMORY:
            return FileBody(content, size, slot, request.environ.get("gunicorn.socket"))
        with content, slot:
            return content.read(size)

    def delete(self, name: str) -> HTTPResponse:
        """Delete the file."""
        self._catalogue.remove(names.checked(name), conditions.parse(headers.REQUEST))
        return responses.empty(204)

    def list(self) -> HTTPResponse:
        """Return a page of the list of files as JSON, sorted by name."""
        query = queries.parse(_LIST_FIELDS)
        prefix, after = (names.checked_part(field, query.get(field, "")) for field in ("prefix", "after"))
        limit = _limit(query["limit"]) if "limit" in query else _PAGE_SIZE
        found: list[StoredFile] = []
        for file in self._catalogue.files(prefix, after):
            if len(found) == limit:
                next_query = urlencode({"prefix": prefix, "after": found[-1].name, "limit": limit}, quote_via=quote)
                return _page(found, Link=f'</files?{next_query}>; rel="next"')
            found.append(file)
        return _page(found)


def _page(files: list[StoredFile], **headers: str) -> HTTPResponse:
    return responses.json_document(200, [file.to_json() for file in files], **headers)


def _headers(file: StoredFile) -> dict[str, Any]:
    return {
        **responses.file_headers(file),
        "Content-Type": "application/octet-stream",
        "Content-Length": str(file.size),
    }


def _limit(text: str) -> int:
    limit = whole_numbers.parse(text)
    if limit is None or not 0 < limit <= _PAGE_SIZE:
        raise RefusedError(400, f"limit is {text[:40]!a}: give a whole number, 1 to {_PAGE_SIZE}")
    return limit
