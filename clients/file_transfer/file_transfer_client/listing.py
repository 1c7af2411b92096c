"""The list of files, fetched page by page."""

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from file_transfer_client.api import Api
from file_transfer_client.errors import ClientError
from file_transfer_client.responses import local_path


def files(api: Api, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield the server's description of each file whose name begins with the prefix.

    Raises:
        ClientError: the request was refused, or the response is not a list of files.
    """
    path = f"/files?prefix={quote(prefix, safe='')}" if prefix else "/files"
    while path:
        page = api.retry(functools.partial(_page, api, path))
        yield from page.files
        path = page.next_path


def table(listed: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield one line for each file: bytes, time of storage (UTC), the first digits of its SHA-256, name."""
    for file in listed:
        try:
            stored = datetime.fromisoformat(file["modified"]).astimezone(UTC)
            name = file["name"] if file["name"].isprintable() else ascii(file["name"])
            yield f"{file['size']:>15}  {stored:%Y-%m-%d %H:%M:%S}  {file['sha256'][:12]}  {name}"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_a_list_of_files() from error


def as_json(listed: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of one JSON list, with one file on each line."""
    separator = "["
    for file in listed:
        yield separator + json.dumps(file)
        separator = ","
    yield "]" if separator == "," else "[]"


@dataclass(frozen=True)
class _Page:
    """One page of the list; `next_path` is empty on the last page."""

    files: list[dict[str, Any]]
    next_path: str


def _page(api: Api, path: str) -> _Page:
    with api.request("GET", path) as response:
        try:
            listed = response.json()
        except requests.JSONDecodeError as error:
            raise _not_a_list_of_files() from error
        if not (isinstance(listed, list) and all(isinstance(file, dict) for file in listed)):
            raise _not_a_list_of_files()
        link = response.links.get("next", {}).get("url", "")
        return _Page(listed, local_path(response, link) if link else "")


def _not_a_list_of_files() -> ClientError:
    return ClientError("the response is not a list of files: is this the address of a file-transfer server?")
