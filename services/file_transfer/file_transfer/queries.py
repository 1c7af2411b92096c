"""The query of the current request."""

from collections.abc import Collection

from bottle import request

from file_transfer import fields


def parse(known: Collection[str]) -> dict[str, str]:
    """Return the values of the query's fields by name.

    Raises:
        InvalidRequestError: a field is not one of the `known` ones, or is repeated, or is not valid UTF-8.
    """
    return fields.parse("query", request.query_string.encode("latin-1"), known)
