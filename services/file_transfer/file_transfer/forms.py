"""Reading form bodies as they stream in (RFC 7578): nothing is spooled, memory does not grow with the file."""

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import parse_qs

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from file_transfer.bodies import chunks, line, read, refuse_cut
from file_transfer.errors import RefusedError

_MAX_PARTS = 256
_MAX_SMALL_FORM = 64 * 1024


def parts(body: BinaryIO, content_type: str, content_length: int) -> Iterator[MultipartSegment | bytes | None]:
    """Each part's headers, then its content in pieces, then None; `content_length` is -1 if unknown.

    Raises:
        RefusedError: the body is no form, or not all of one.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise RefusedError(415, "send the file as multipart/form-data: curl -F 'file=@NAME' does")
    try:
        with PushMultipartParser(
            options["boundary"], content_length=content_length, max_segment_count=_MAX_PARTS, strict=True
        ) as parser:
            for chunk in chunks(body, content_length):
                yield from parser.parse(bytes(chunk))
    except ParserLimitReached as error:
        raise RefusedError(413, f"the form is too large: {line(error)}") from error
    except MultipartError as error:
        raise RefusedError(400, f"the form is broken or cut short: {line(error)}", kind="cut_short") from error


def field(body: BinaryIO, content_type: str, content_length: int, name: str) -> str:
    """One text field of a small form, sent either way.

    Raises:
        RefusedError: it is not there, or the form is too large or broken.
    """
    if content_length > _MAX_SMALL_FORM:
        raise RefusedError(413, f"the form has more than {_MAX_SMALL_FORM} bytes")
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        raw = read(body, _MAX_SMALL_FORM + 1)
        if len(raw) > _MAX_SMALL_FORM:
            raise RefusedError(413, f"the form has more than {_MAX_SMALL_FORM} bytes")
        refuse_cut(len(raw), content_length)
        values = _text_values(raw, name)
    else:
        values = list(_text_parts(body, content_type, content_length, name))
    if not values:
        raise RefusedError(400, f"the form has no field «{name}»: curl -F '{name}=NAME' sends one")
    return values[0]


def _text_parts(body: BinaryIO, content_type: str, content_length: int, name: str) -> Iterator[str]:
    wanted, content, total = False, b"", 0
    for event in parts(body, content_type, content_length):
        if isinstance(event, MultipartSegment):
            wanted, content = event.name == name, b""
        elif event is None:
            if wanted:
                yield content.decode("utf-8", "surrogateescape")
        else:
            total += len(event)
            if total > _MAX_SMALL_FORM:
                raise RefusedError(413, f"the form has more than {_MAX_SMALL_FORM} bytes")
            content += event


def _text_values(raw: bytes, name: str) -> list[str]:
    try:
        return parse_qs(raw.decode(), keep_blank_values=True, errors="strict").get(name, [])
    except UnicodeDecodeError:
        raise RefusedError(400, "the form is not valid UTF-8") from None
