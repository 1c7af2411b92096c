"""Files under /files, as any HTTP client expects them (RFC 9110)."""

from collections.abc import Generator
from typing import Any
from urllib.parse import quote, urlencode

from bottle import HTTPResponse, request

from file_transfer import answers, bodies, conditions, digests, headers, lifetime, metrics, names, queries, ranges
from file_transfer.catalogue import Catalogue
from file_transfer.errors import RefusedError
from file_transfer.ranges import Range, UnsatisfiableError
from file_transfer.slots import Parts, Slot, Slots, WholeFile
from file_transfer.storage import Content
from file_transfer.stored_file import StoredFile, now

_PAGE = 1000
_READ_AT_ONCE = 64 * 1024
"""Bytes up to which reading a file costs less than to let the kernel send it."""


class FileRoutes:
    """PUT, GET, HEAD and DELETE of a file, and the list of all."""

    def __init__(self, catalogue: Catalogue, slots: Slots) -> None:
        self._catalogue = catalogue
        self._slots = slots

    def put(self, name: str) -> HTTPResponse:
        """Store the body under the name."""
        name = names.checked(name)
        asked = lifetime.read(queries.read(request.query_string), now())
        condition = conditions.read(headers.ALL)
        expected = digests.declared(headers.ALL)
        for unsupported in ("Content-Range", "Content-Encoding"):
            if headers.ALL.get(unsupported):
                raise RefusedError(400, f"{unsupported} cannot be honoured here: send the whole file as it is")
        if condition != conditions.NONE:
            condition.check_change(self._catalogue.find(name))  # before all of it is sent for nothing
        with self._slots.take(), self._catalogue.receive(request.content_length) as reception:
            for data in bodies.chunks(request.environ["wsgi.input"], request.content_length):
                reception.write(data)
            digests.check(expected, reception.sha256)
            file, is_new = reception.publish(name, asked, condition)
        metrics.RECEIVED.inc(file.size)
        return answers.stored(201 if is_new else 200, [file])

    def head(self, name: str) -> HTTPResponse:
        """What GET would say."""
        file = self._catalogue.look_up(names.checked(name))
        if conditions.read(headers.ALL).is_fresh(file):
            return HTTPResponse("", 304, answers.headers_of(file))
        return HTTPResponse("", 200, _complete(file))

    def get(self, name: str) -> HTTPResponse:
        """The file, or a range of it."""
        name = names.checked(name)
        file = self._catalogue.look_up(name)
        if conditions.read(headers.ALL).is_fresh(file):
            return HTTPResponse("", 304, answers.headers_of(file))
        try:
            wanted = ranges.read(headers.ALL.get("Range"), headers.ALL.get("If-Range"), file)
        except UnsatisfiableError:
            answer = answers.refusal(416, f"the file has {file.size} bytes: ask for some of these")
            answer.set_header("Content-Range", f"bytes */{file.size}")
            return answer
        return self.send(file, wanted)

    def send(self, file: StoredFile, wanted: Range | None = None) -> HTTPResponse:
        """The content, which takes a slot until it has been sent, and one of the downloads that are left."""
        headers = _complete(file)
        if wanted:
            headers["Content-Length"] = str(wanted.size)
            headers["Content-Range"] = f"bytes {wanted.start}-{wanted.start + wanted.size - 1}/{file.size}"
        part = wanted or Range(0, file.size)
        slot = self._slots.take()
        try:
            if file.downloads_left is not None:
                self._catalogue.take(file)
            if not part.size:
                slot.give_back()
                return HTTPResponse("", 200, headers)
            content = self._catalogue.open(file, part)
            body = self._body(content, part.size, slot)
        except BaseException:
            slot.give_back()
            raise
        metrics.SENT.inc(part.size)
        return HTTPResponse(body, 206 if wanted else 200, headers)

    def _body(self, content: Content, size: int, slot: Slot) -> Parts | WholeFile | bytes:
        if isinstance(content, Generator):
            return Parts(content, slot)
        if size > _READ_AT_ONCE:
            return WholeFile(content, size, slot, request.environ.get("gunicorn.socket"))
        with content, slot:
            return content.read(size)

    def delete(self, name: str) -> HTTPResponse:
        """Take the file away."""
        self._catalogue.remove(names.checked(name), conditions.read(headers.ALL))
        return answers.empty(204)

    def list(self) -> HTTPResponse:
        """Files as JSON, sorted by name, a page at a time."""
        query = queries.read(request.query_string)
        prefix, limit = query.get("prefix", ""), _limit(query.get("limit", ""))
        found: list[StoredFile] = []
        for file in self._catalogue.files(prefix, query.get("after", "")):
            if len(found) == limit:
                rest = urlencode({"prefix": prefix, "after": found[-1].name, "limit": limit}, quote_via=quote)
                return _page(found, Link=f'</files?{rest}>; rel="next"')
            found.append(file)
        return _page(found)


def _page(files: list[StoredFile], **headers: str) -> HTTPResponse:
    return answers.json_document(200, [file.described() for file in files], **headers)


def _complete(file: StoredFile) -> dict[str, Any]:
    return {
        **answers.headers_of(file),
        "Content-Type": "application/octet-stream",
        "Content-Length": str(file.size),
    }


def _limit(text: str) -> int:
    if not text:
        return _PAGE
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= _PAGE):
        raise RefusedError(400, f"limit is {text[:40]!a}: give a whole number, 1 to {_PAGE}")
    return int(text)
