"""The query parameters of a request."""

from urllib.parse import parse_qsl

from file_transfer.errors import RefusedError


def parse(query: str) -> dict[str, str]:
    """Return the parameters by name. If a name is repeated, its last value counts.

    Raises:
        RefusedError: 400 if the query is not valid UTF-8.
    """
    try:
        return dict(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise RefusedError(400, "the query is not valid UTF-8") from None
