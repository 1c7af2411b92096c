"""A reader of InfluxDB 1.x: one InfluxQL query, its series, and errors that say what to do.

It never writes: InfluxDB itself refuses what is not a read on this way (GET).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

_TIMEOUT = 20  # seconds
_REFUSED = (401, 403)

Read = Callable[[str, str], "list[Series]"]
"""(database, InfluxQL) -> series; tests put their own in its place."""


class InfluxdbError(Exception):
    """The database cannot be read; the text says which one, why, and what helps."""


@dataclass(frozen=True)
class Series:
    """The rows of one measurement with the same tags.

    A row has one value for each of `columns`. The first column of a SELECT is `time`, in seconds since 1970.
    """

    measurement: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def reader(urls: Mapping[str, str], user: str, password: str) -> Read:
    """What reads databases at these addresses (database -> URL) as this user."""
    return lambda database, text: query(urls[database], database, user, password, text)


def query(url: str, database: str, user: str, password: str, text: str) -> list[Series]:
    """Ask one database; several statements' series come one after the other.

    Args:
        url: of the server, such as http://192.168.50.2:8086.
        database: its name, such as vms.
        user: who asks; empty: nobody in particular.
        password: of the user; it travels in a header, so that no log of addresses has it.
        text: InfluxQL.

    Raises:
        InfluxdbError: not reachable, not allowed, no such database, or InfluxDB's own words on the query.
    """
    place = f"InfluxDB {url}, database {database}"
    # Proxies and .netrc are not asked: the hosts are on a network of their own.
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.get(
                f"{url.rstrip('/')}/query",
                params={"db": database, "q": text, "epoch": "ms"},
                auth=(user, password) if user else None,
                timeout=_TIMEOUT,
            )
        except requests.RequestException as error:
            raise InfluxdbError(f"{place}: no answer; is it running, and reachable from here? ({error})") from error
    answer = _answer(response)
    if response.status_code in _REFUSED:
        raise InfluxdbError(
            f"{place}: user «{user}» is refused ({answer.get('error')}): check user, password and what it may read"
        )
    if answer.get("error") or not response.ok:
        raise InfluxdbError(f"{place}: {answer.get('error') or f'HTTP status {response.status_code}'}, asked: {text}")
    if "results" not in answer:
        raise InfluxdbError(f"{place}: this is not an InfluxDB 1.x: its answer has no results; check the URL")
    return [series for result in answer["results"] for series in _series(result, place, text)]


def _answer(response: requests.Response) -> Mapping[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _series(result: Mapping[str, Any], place: str, text: str) -> list[Series]:
    error = str(result.get("error", ""))
    if error.startswith("database not found"):
        raise InfluxdbError(f"{place}: there is no such database; check its name and the URL")
    if error:
        raise InfluxdbError(f"{place}: {error}, asked: {text}")
    listed = result.get("series", [])
    if result.get("partial") or any(series.get("partial") for series in listed):
        raise InfluxdbError(f"{place}: the answer was cut short: ask for less time or fewer series: {text}")
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
