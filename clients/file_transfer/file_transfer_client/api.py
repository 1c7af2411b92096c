"""Requests to the servers, and retries across them."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Self, TypeVar
from urllib.parse import quote

import requests

from file_transfer_client import digests
from file_transfer_client.arguments import Connection
from file_transfer_client.errors import BrokenError, ClientError, RefusedError
from file_transfer_client.responses import connection_error, status_error

TRIES = 6
"""How often each server is tried without any progress before the client gives up."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30  # seconds
_TIMEOUTS = (10, 120)  # seconds: to connect, and without receiving a byte

_T = TypeVar("_T")


def path_of(name: str) -> str:
    """Return the path of the file with that name, which is the same on every server."""
    return f"/files/{quote(name, safe='')}"


class Api:
    """The servers of one cluster, tried in turn. `wait` sleeps for a number of seconds."""

    def __init__(self, connection: Connection, wait: Callable[[float], None]) -> None:
        self.servers = connection.servers
        self._current = 0
        self._wait = wait
        self._verify = connection.cacert
        self._session = requests.Session()
        self._session.auth = _Bearer(connection.token)
        # Ranges count the bytes of the file itself, so nothing on the way may compress it.
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def retry(self, attempt: Callable[[], _T], progress: Callable[[], int] = lambda: 0) -> _T:
        """Call `attempt` until it succeeds, each time with the next server, and with growing pauses.

        `progress` returns the bytes transferred so far. When it grows, the count of failures starts again.

        Raises:
            ClientError: the request was refused, or failed too often without progress.
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
                        f"{error}; gave up after {failures} tries: run the same command again when the server is back"
                    ) from error
                self._current = (self._current + 1) % len(self.servers)
                rounds, tried_in_round = divmod(failures, len(self.servers))
                if not tried_in_round:
                    longest = min(_FIRST_PAUSE * 2 ** (rounds - 1), _LONGEST_PAUSE)
                    # The pause is random so that clients that lost the same server do not all return at once.
                    self._wait(max(error.pause, random.uniform(longest / 2, longest)))  # noqa: S311 - no secret

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] = b"",
    ) -> requests.Response:
        """Send one request to the current server. The caller reads the response's content and closes it.

        Raises:
            BrokenError: the server cannot be reached or is busy.
            RefusedError: the server refused the request.
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
                allow_redirects=False,  # following one would send the content elsewhere and hide a wrong address
                verify=self._verify,
            )
        except requests.RequestException as error:
            raise connection_error(server, error) from error
        if response.status_code < 300:
            return response
        with response:
            raise status_error(response)

    def sha256(self, name: str) -> str | None:
        """Return the SHA-256 in hex of the file with that name, or None if there is no such file."""
        try:
            with self.request("HEAD", path_of(name)) as response:
                return digests.sha256_in(response.headers)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise


class _Bearer(requests.auth.AuthBase):
    """Sends the token, if there is one. It also keeps requests from sending a password from ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request
