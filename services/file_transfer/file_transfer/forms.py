"""Parsing of form bodies as they arrive (RFC 7578). Nothing is spooled, so memory does not grow with the file."""

from collections.abc import Iterator
from typing import BinaryIO

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from file_transfer import fields
from file_transfer.bodies import blocks, check_complete, one_line, read
from file_transfer.errors import CutShortError, InvalidRequestError, TooLargeError, UnsupportedTypeError

_MAX_PARTS = 256
_MAX_SMALL_FORM = 64 * 1024  # bytes


def read_parts(body: BinaryIO, content_type: str, content_length: int) -> Iterator[MultipartSegment | bytes | None]:
    """Yield the headers of each part, then blocks of its content, then None.

    Args:
        body: the request's body.
        content_type: its type, with the boundary.
        content_length: the declared length in bytes, -1 if unknown.

    Raises:
        UnsupportedTypeError: the body is not a form.
        TooLargeError: the form has too many parts, or headers that are too large.
        CutShortError: the form is broken or cut short.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise UnsupportedTypeError("send the file as multipart/form-data: curl -F 'file=@x' does")
    try:
        with PushMultipartParser(
            options["boundary"], content_length=content_length, max_segment_count=_MAX_PARTS, strict=True
        ) as parser:
            for block in blocks(body, content_length):
                yield from parser.parse(bytes(block))
    except ParserLimitReached as error:
        raise TooLargeError(f"the form is too large: {one_line(error)}") from error
    except MultipartError as error:
        raise CutShortError(f"the form is broken or cut short: {one_line(error)}") from error


def text_field(body: BinaryIO, content_type: str, content_length: int, name: str) -> str:
    """Return the only text field of a small form, sent as multipart or urlencoded.

    Raises:
        InvalidRequestError: the field is missing or repeated, or there is another one.
        UnsupportedTypeError: the body is not a form.
        TooLargeError: the form is too large.
        CutShortError: the form is broken or cut short.
    """
    if content_length > _MAX_SMALL_FORM:
        raise _too_large()
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        raw = read(body, _MAX_SMALL_FORM + 1)
        if len(raw) > _MAX_SMALL_FORM:
            raise _too_large()
        check_complete(len(raw), content_length)
        found = fields.parse("form", raw, (name,))
    else:
        found = fields.by_name("form", _multipart_fields(body, content_type, content_length), (name,))
    if name not in found:
        raise InvalidRequestError(f"the form has no field \"{name}\": send one with curl -F '{name}=x'")
    return found[name]


def _multipart_fields(body: BinaryIO, content_type: str, content_length: int) -> Iterator[tuple[str, str]]:
    name, content, total = "", b"", 0
    for event in read_parts(body, content_type, content_length):
        if isinstance(event, MultipartSegment):
            name, content = event.name or "", b""
        elif event is None:
            yield name, content.decode("utf-8", "surrogateescape")
        else:
            total += len(event)
            if total > _MAX_SMALL_FORM:
                raise _too_large()
            content += event


def _too_large() -> TooLargeError:
    return TooLargeError(f"the form has more than {_MAX_SMALL_FORM} bytes")
