"""The list of files, page by page."""

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

from file_transfer.client.answers import local_path
from file_transfer.client.api import Api
from file_transfer.client.errors import ClientError


def files(api: Api, prefix: str) -> Iterator[dict[str, Any]]:
    """What the server says of each file whose name begins so.

    Raises:
        ClientError: it was refused, or the answer is no list of files.
    """
    path = f"/files?prefix={quote(prefix, safe='')}" if prefix else "/files"
    while path:
        page = api.persist(functools.partial(_page, api, path))
        yield from page.files
        path = page.following


def table(listed: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line a file: bytes, when it was stored (UTC), how its digest begins, its name."""
    for file in listed:
        try:
            stored = datetime.fromisoformat(file["modified"]).astimezone(UTC)
            name = file["name"] if file["name"].isprintable() else ascii(file["name"])
            yield f"{file['size']:>15}  {stored:%Y-%m-%d %H:%M:%S}  {file['sha256'][:12]}  {name}"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _not_files() from error


def as_json(listed: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of one JSON list, with a file a line."""
    before = "["
    for file in listed:
        yield before + json.dumps(file)
        before = ","
    yield "]" if before == "," else "[]"


@dataclass(frozen=True)
class _Page:
    files: list[dict[str, Any]]
    following: str


def _page(api: Api, path: str) -> _Page:
    with api.ask("GET", path) as answer:
        try:
            listed = answer.json()
        except requests.JSONDecodeError as error:
            raise _not_files() from error
        if not (isinstance(listed, list) and all(isinstance(file, dict) for file in listed)):
            raise _not_files()
        following = answer.links.get("next", {}).get("url", "")
        return _Page(listed, local_path(answer, following) if following else "")


def _not_files() -> ClientError:
    return ClientError("the answer is no list of files: is this the address of a file-transfer server?")
