"""The parameters behind a path."""

from urllib.parse import parse_qsl

from file_transfer.errors import RefusedError


def read(query: str) -> dict[str, str]:
    """Names and values; of a name that comes twice, the last value.

    Raises:
        RefusedError: 400, it is no UTF-8.
    """
    try:
        return dict(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise RefusedError(400, "the query is not valid UTF-8") from None
