"""Parsing of form bodies as they arrive (RFC 7578). Nothing is spooled, so memory does not grow with the file."""

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import parse_qs

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from file_transfer.bodies import blocks, check_complete, one_line, read
from file_transfer.errors import RefusedError

_MAX_PARTS = 256
_MAX_SMALL_FORM = 64 * 1024  # bytes


def read_parts(body: BinaryIO, content_type: str, content_length: int) -> Iterator[MultipartSegment | bytes | None]:
    """Yield the headers of each part, then blocks of its content, then None.

    Args:
        body: the request's body.
        content_type: its type, with the boundary.
        content_length: the declared length in bytes, -1 if unknown.

    Raises:
        RefusedError: the body is not a form, or is cut short.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise RefusedError(415, "send the file as multipart/form-data: curl -F 'file=@x' does")
    try:
        with PushMultipartParser(
            options["boundary"], content_length=content_length, max_segment_count=_MAX_PARTS, strict=True
        ) as parser:
            for block in blocks(body, content_length):
                yield from parser.parse(bytes(block))
    except ParserLimitReached as error:
        raise RefusedError(413, f"the form is too large: {one_line(error)}") from error
    except MultipartError as error:
        raise RefusedError(400, f"the form is broken or cut short: {one_line(error)}", kind="cut_short") from error


def text_field(body: BinaryIO, content_type: str, content_length: int, name: str) -> str:
    """Return one text field of a small form, sent as multipart or urlencoded.

    Raises:
        RefusedError: the field is missing, or the form is too large or broken.
    """
    if content_length > _MAX_SMALL_FORM:
        raise _too_large()
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        raw = read(body, _MAX_SMALL_FORM + 1)
        if len(raw) > _MAX_SMALL_FORM:
            raise _too_large()
        check_complete(len(raw), content_length)
        values = _urlencoded_values(raw, name)
    else:
        values = list(_multipart_values(body, content_type, content_length, name))
    if not values:
        raise RefusedError(400, f"the form has no field \"{name}\": send one with curl -F '{name}=x'")
    return values[0]


def _multipart_values(body: BinaryIO, content_type: str, content_length: int, name: str) -> Iterator[str]:
    is_wanted, content, total = False, b"", 0
    for event in read_parts(body, content_type, content_length):
        if isinstance(event, MultipartSegment):
            is_wanted, content = event.name == name, b""
        elif event is None:
            if is_wanted:
                yield content.decode("utf-8", "surrogateescape")
        else:
            total += len(event)
            if total > _MAX_SMALL_FORM:
                raise _too_large()
            content += event


def _urlencoded_values(raw: bytes, name: str) -> list[str]:
    try:
        return parse_qs(raw.decode(), keep_blank_values=True, errors="strict").get(name, [])
    except UnicodeDecodeError:
        raise RefusedError(400, "the form is not valid UTF-8") from None


def _too_large() -> RefusedError:
    return RefusedError(413, f"the form has more than {_MAX_SMALL_FORM} bytes")
