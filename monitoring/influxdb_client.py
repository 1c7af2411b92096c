"""A client that reads from InfluxDB 1.x with InfluxQL.

It cannot write, since it sends only GET requests, for which InfluxDB refuses every statement that changes something.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

_TIMEOUT = 20  # seconds
_REFUSED = (401, 403)

Read = Callable[[str, str], "list[Series]"]
"""A function that takes a database and InfluxQL, and returns the series. Tests use one of their own."""


class InfluxdbError(Exception):
    """The database cannot be read. The message says which one, why, and what to do."""


@dataclass(frozen=True)
class Series:
    """The rows of one measurement that have the same tags.

    A row has one value for each of `columns`. In the result of a SELECT the first one is `time`, in seconds since 1970.
    """

    measurement: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def reader(urls: Mapping[str, str], user: str, password: str, *, authority: Path | None = None) -> Read:
    """Return a function that reads the databases at these URLs (database -> URL) as the user; see `query`."""
    return lambda database, text: query(urls[database], database, user, password, text, authority=authority)


def query(
    url: str, database: str, user: str, password: str, text: str, *, authority: Path | None = None
) -> list[Series]:
    """Query one database. The series of several statements are concatenated.

    Args:
        url: the server's URL, such as http://192.168.50.2:8086.
        database: the database's name, such as vms.
        user: the user's name; empty for a server without authentication.
        password: the user's password. It is sent in a header, so that no log of URLs contains it.
        text: the InfluxQL.
        authority: a PEM file with the issuer's certificate; by default, certifi's public authorities.

    Raises:
        InfluxdbError: the server is unreachable, the user is refused, or the query fails.
    """
    place = f"InfluxDB {url}, database {database}"
    # Proxies and .netrc are ignored, since the hosts are on a private network.
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(authority) if authority else True
        try:
            response = session.get(
                f"{url.rstrip('/')}/query",
                params={"db": database, "q": text, "epoch": "ms"},
                auth=(user, password) if user else None,
                timeout=_TIMEOUT,
            )
        except requests.RequestException as error:
            raise InfluxdbError(f"{place}: no response; is it running, and reachable from here? ({error})") from error
    document = _document(response)
    if response.status_code in _REFUSED:
        raise InfluxdbError(
            f'{place}: user "{user}" is refused ({document.get("error")}): check the user, its password and privileges'
        )
    if document.get("error") or not response.ok:
        reason = document.get("error") or f"HTTP status {response.status_code}"
        raise InfluxdbError(f"{place}: {reason}, for the query: {text}")
    if "results" not in document:
        raise InfluxdbError(f"{place}: this is not an InfluxDB 1.x, since its response has no results; check the URL")
    return [series for result in document["results"] for series in _series(result, place, text)]


def _document(response: requests.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _series(result: Mapping[str, Any], place: str, text: str) -> list[Series]:
    error = str(result.get("error", ""))
    if error.startswith("database not found"):
        raise InfluxdbError(f"{place}: no such database; check its name and the URL")
    if error:
        raise InfluxdbError(f"{place}: {error}, for the query: {text}")
    listed = result.get("series", [])
    if result.get("partial") or any(series.get("partial") for series in listed):
        raise InfluxdbError(f"{place}: the response was cut short; query a shorter time or fewer series: {text}")
    return [
        Series(
            measurement=series.get("name", ""),
            tags=series.get("tags", {}),
            columns=tuple(series["columns"]),
            rows=tuple(_row(series["columns"], values) for values in series.get("values", [])),
        )
        for series in listed
    ]


def _row(columns: Sequence[str], values: Sequence[Any]) -> tuple[Any, ...]:
    return (values[0] / 1000, *values[1:]) if columns[0] == "time" else tuple(values)
