"""Asking the servers: one request, or one thing over and over until it is done."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Self, TypeVar
from urllib.parse import quote

import requests

from file_transfer.client import digests
from file_transfer.client.answers import failure, refusal
from file_transfer.client.arguments import Connection
from file_transfer.client.errors import BrokenError, ClientError, RefusedError

TRIES = 6
"""How often each server is asked without any progress in between."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30  # seconds
_TIMEOUTS = (10, 120)  # seconds to connect, and without a byte

_T = TypeVar("_T")


def path_of(name: str) -> str:
    """Where the file of that name is on every server."""
    return f"/files/{quote(name, safe='')}"


class Api:
    """The servers of one cluster, asked one after the other; `wait` pauses for some seconds."""

    def __init__(self, connection: Connection, wait: Callable[[float], None]) -> None:
        self.servers = connection.servers
        self._current = 0
        self._wait = wait
        self._verify = connection.cacert
        self._session = requests.Session()
        self._session.auth = _Bearer(connection.token)
        # A part of a file is counted in bytes of the file itself, so that nothing on the way may compress it.
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def persist(self, attempt: Callable[[], _T], progress: Callable[[], int] = lambda: 0) -> _T:
        """Attempt it until it succeeds, each time with the next server, and with longer and longer pauses.

        `progress` is how many bytes are over: whenever these are more, the tries are counted anew.

        Raises:
            ClientError: it was refused, or failed too often without progress.
        """
        reached, failures = progress(), 0
        while True:
            try:
                return attempt()
            except BrokenError as error:
                if progress() > reached:
                    reached, failures = progress(), 0
                failures += 1
                if failures == TRIES * len(self.servers):
                    raise ClientError(
                        f"{error}; gave up after {failures} tries: give the same command again when the server answers"
                    ) from error
                self._current = (self._current + 1) % len(self.servers)
                rounds, asked_in_round = divmod(failures, len(self.servers))
                if not asked_in_round:
                    longest = min(_FIRST_PAUSE * 2 ** (rounds - 1), _LONGEST_PAUSE)
                    # Many clients that lost the same server must not come back all at once.
                    self._wait(max(error.pause, random.uniform(longest / 2, longest)))  # noqa: S311 - no secret

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
    ) -> requests.Response:
        """One request to the server whose turn it is; the answer's content is yet to be read, and it to be closed.

        Raises:
            BrokenError: the server cannot be reached or is busy.
            RefusedError: it said no.
        """
        server = self.servers[self._current]
        try:
            response = self._session.request(
                method,
                server + path,
                headers=headers,
                params=params,
                data=body,
                stream=True,
                timeout=_TIMEOUTS,
                allow_redirects=False,  # they would take the content along, and hide that the address is wrong
                verify=self._verify,
            )
        except requests.RequestException as error:
            raise failure(server, error) from error
        if response.status_code < 300:
            return response
        with response:
            raise refusal(response)

    def digest(self, name: str) -> str | None:
        """The SHA-256 in hex of the file of that name, None if there is no such file."""
        try:
            with self.ask("HEAD", path_of(name)) as response:
                return digests.stated(response.headers)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise


class _Bearer(requests.auth.AuthBase):
    """The token, or nothing; either way requests no longer takes a password from ~/.netrc instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
