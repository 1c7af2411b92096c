"""The fields of queries and forms. An unknown or repeated one is refused, since ignoring it would hide a mistake.

A file uploaded with `?tll=1h` would be kept for ever.
"""

from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl

from file_transfer import names
from file_transfer.errors import InvalidRequestError


def parse(source: str, encoded: bytes, known: Collection[str]) -> dict[str, str]:
    """Return the values of urlencoded fields by name.

    Args:
        source: where the fields are, for the error message: "query" or "form".
        encoded: the fields, such as `ttl=1h&max-downloads=3`.
        known: the names of the valid fields.

    Raises:
        InvalidRequestError: a field is unknown, repeated, or not valid UTF-8.
    """
    try:
        found = parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequestError(f"the {source} is not valid UTF-8") from None
    return by_name(source, found, known)


def by_name(source: str, found: Iterable[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """Return the values of the fields by name.

    Raises:
        InvalidRequestError: a field is unknown or repeated.
    """
    values: dict[str, str] = {}
    for name, value in found:
        if name not in known:
            raise unknown(source, name, known)
        if name in values:
            raise InvalidRequestError(f"the {source} has the field {name} twice: send it once")
        values[name] = value
    return values


def unknown(source: str, name: str, known: Collection[str]) -> InvalidRequestError:
    """Return the error for a field that the request does not take."""
    remedy = f"it can have {', '.join(known)}" if known else "this request takes none"
    return InvalidRequestError(f"the {source} has an unknown field {names.printable(name)}: {remedy}")
