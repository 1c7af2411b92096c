"""The routes under /files, with the semantics of HTTP (RFC 9110)."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import quote, urlencode

from bottle import HTTPResponse, request

from file_transfer import (
    access,
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
from file_transfer.chunks import Content, MissingChunkError, blocks
from file_transfer.clock import now
from file_transfer.errors import InvalidRequestError
from file_transfer.gunicorn_server import request_bodies
from file_transfer.incoming import SMALL_BYTES
from file_transfer.ranges import Range, UnsatisfiableError
from file_transfer.slots import FileBody, Slot, Slots, StreamedBody
from file_transfer.stored_file import StoredFile

_LIST_FIELDS = ("prefix", "after", "limit")
_PAGE_SIZE = 1000
_RENEWED_BYTES = 1024 * 1024
"""The most that is sent of a held download before it is renewed. A slow client takes minutes for a larger block."""


class FileRoutes:
    """PUT, GET, HEAD and DELETE of a file, and the list of files."""

    def __init__(self, catalogue: Catalogue, slots: Slots) -> None:
        self._catalogue = catalogue
        self._slots = slots

    def put(self, name: str) -> HTTPResponse:
        """Store the body under the name."""
        name = access.new_name(name)
        requested = lifetime.parse(access.with_ttl(queries.parse(lifetime.FIELDS)), now())
        condition = conditions.parse(headers.REQUEST)
        expected = digests.declared(headers.REQUEST)
        for unsupported in ("Content-Range", "Content-Encoding"):
            if headers.REQUEST.get(unsupported):
                raise InvalidRequestError(f"{unsupported} is not supported: send the whole file without encoding")
        length = headers.content_length()
        if condition != conditions.NONE:
            self._catalogue.check_writable()  # if there is no primary, what the index says may be old
            condition.check_change(self._catalogue.find(name))  # early, before the client sends the file in vain
        slot = self._slots.take(headers.client())
        with slot, self._catalogue.receive(None if length < 0 else length, access.owner()) as incoming_file:
            for data in bodies.blocks(request.environ["wsgi.input"], length):
                incoming_file.write(data)
            digests.check(expected, incoming_file.sha256)
            file, is_new = self._catalogue.publish({name: incoming_file}, requested, condition)[name]
        metrics.RECEIVED.inc(file.size)
        return responses.stored(201 if is_new else 200, [file])

    def head(self, name: str) -> HTTPResponse:
        """Return the headers that GET would return."""
        file = self._catalogue.look_up(access.name(name))
        if conditions.parse(headers.REQUEST).is_fresh(file):
            return HTTPResponse("", 304, responses.file_headers(file))
        return HTTPResponse("", 200, _headers(file))

    def get(self, name: str) -> HTTPResponse:
        """Return the file, or a range of it."""
        return self._newest(access.name(name), self._get)

    def download(self, name: str) -> HTTPResponse:
        """Return the whole file, whatever the headers say."""
        return self._newest(access.name(name), self._send)

    def _newest(self, name: str, respond: Callable[[StoredFile], HTTPResponse]) -> HTTPResponse:
        """Respond with the file. If its bytes are gone because it has just been replaced, respond with the new one."""
        file = self._catalogue.look_up(name)
        while True:
            try:
                return respond(file)
            except MissingChunkError:
                before, file = file, self._catalogue.look_up(name)
                if file.version == before.version:
                    raise

    def _get(self, file: StoredFile) -> HTTPResponse:
        if conditions.parse(headers.REQUEST).is_fresh(file):
            return HTTPResponse("", 304, responses.file_headers(file))
        try:
            byte_range = ranges.parse(headers.REQUEST.get("Range"), headers.REQUEST.get("If-Range"), file)
        except UnsatisfiableError:
            response = responses.error(
                416, f"the file has only {file.size} bytes: request a range within them", "range"
            )
            response.set_header("Content-Range", f"bytes */{file.size}")
            return response
        return self._send(file, byte_range)

    def _send(self, file: StoredFile, byte_range: Range | None = None) -> HTTPResponse:
        """Return the content, which holds a slot until it has been sent."""
        described = _headers(file)
        if byte_range:
            last = byte_range.start + byte_range.size - 1
            described["Content-Length"] = str(byte_range.size)
            described["Content-Range"] = f"bytes {byte_range.start}-{last}/{file.size}"
        wanted = byte_range or Range(0, file.size)
        with ExitStack() as stack:
            slot = stack.enter_context(self._slots.take(headers.client()))
            body: StreamedBody | FileBody | bytes
            if file.downloads_left is not None:
                body = StreamedBody(self._limited(file, wanted), slot)
                stack.pop_all()
            elif file.data is not None or not wanted.size:
                body = (file.data or b"")[wanted.start : wanted.start + wanted.size]
            else:
                body = self._body(self._catalogue.open(file, wanted), wanted.size, slot)
                stack.pop_all()
        metrics.SENT.inc(wanted.size)
        return HTTPResponse(body, 206 if byte_range else 200, described)

    def _body(self, content: Content, size: int, slot: Slot) -> StreamedBody | FileBody:
        if isinstance(content, Generator):
            return StreamedBody(content, slot)
        return FileBody(content, size, slot, request_bodies.connection(request.environ))

    def _limited(self, file: StoredFile, wanted: Range) -> Generator[bytes, None, None]:
        """Yield the content of a file whose downloads are limited. The download counts once its last byte is sent."""
        held = self._catalogue.hold_download(file)
        is_complete = False
        try:
            if file.data is not None or not wanted.size:
                yield (file.data or b"")[wanted.start : wanted.start + wanted.size]
            else:
                with closing(self._catalogue.open(file, wanted)) as content:
                    left = wanted.size
                    for block in blocks(content):
                        for first in range(0, min(len(block), left), _RENEWED_BYTES):
                            held.renew()
                            yield block[first : min(first + _RENEWED_BYTES, left)]
                        left = max(left - len(block), 0)
            is_complete = wanted.start + wanted.size == file.size
        finally:
            held.end(is_complete=is_complete)

    def delete(self, name: str) -> HTTPResponse:
        """Delete the file."""
        self._catalogue.remove(access.name(name), conditions.parse(headers.REQUEST))
        return responses.empty(204)

    def list(self) -> HTTPResponse:
        """Return a page of the list of files as JSON, sorted by name."""
        query = queries.parse(_LIST_FIELDS)
        prefix, after = (names.checked_part(field, query.get(field, "")) for field in ("prefix", "after"))
        prefix = access.prefix(prefix)
        limit = _limit(query["limit"]) if "limit" in query else _PAGE_SIZE
        found = self._catalogue.page(prefix, after, limit + 1)
        if len(found) <= limit:
            return _page(self._slots, found)
        found.pop()
        next_query = urlencode({"prefix": prefix, "after": found[-1].name, "limit": limit}, quote_via=quote)
        return _page(self._slots, found, Link=f'</files?{next_query}>; rel="next"')


def _page(slots: Slots, files: list[StoredFile], **more_headers: str) -> HTTPResponse:
    """Return a page. A large one holds a slot until it has been sent, since its client may read it slowly."""
    page = responses.json_document(200, [file.to_json() for file in files], **more_headers)
    content = page.body.encode()
    if len(content) > SMALL_BYTES:
        page.set_header("Content-Length", str(len(content)))
        page.body = StreamedBody((block for block in (content,)), slots.take(headers.client()))
    return page


def _headers(file: StoredFile) -> dict[str, Any]:
    return {
        **responses.file_headers(file),
        "Content-Type": "application/octet-stream",
        "Content-Length": str(file.size),
    }


def _limit(text: str) -> int:
    limit = whole_numbers.parse(text)
    if limit is None or not 0 < limit <= _PAGE_SIZE:
        raise InvalidRequestError(f"limit is {text[:40]!a}: give a whole number, 1 to {_PAGE_SIZE}")
    return limit
