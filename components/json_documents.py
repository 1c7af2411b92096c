"""Several JSON documents in one text, as scripts print them."""

import json
from collections.abc import Iterator
from typing import Any


def parse(text: str) -> Iterator[Any]:
    """Yield each of the documents, which only white space separates.

    Raises:
        json.JSONDecodeError: something else is between them.
    """
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].lstrip()
