"""HTTP to SeaweedFS's servers, and HTTPS to its masters.

Connections are kept open, everything has a time limit, and it is known which servers answered lately.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ProtocolError, SSLError

from file_transfer.chunks import Data, StorageUnavailableError

_CONNECT_SECONDS = 1
_REMEMBERED_SECONDS = 5
"""How long a server that failed counts as down, unless it answers before."""

_ASKED_AGAIN_SECONDS = 1
_CONNECTIONS = 64
_SERVERS = 64

_MASTER = "object-store-master"
"""The name that the certificate of every master has. Their addresses change."""


@dataclass(frozen=True)
class Response:
    """A response with its whole body."""

    status: int
    body: bytes

    def error(self) -> str:
        """Return what the server says of an error, in one line."""
        return f"HTTP {self.status} {' '.join(self.body.decode(errors='replace').split())}"[:300].rstrip()


class _Connection(HTTPConnection):
    """A connection that is made within `_CONNECT_SECONDS`. urllib3 has one time limit for this and for sending."""

    def connect(self) -> None:
        sending, self.timeout = self.timeout, _CONNECT_SECONDS
        try:
            super().connect()
            self.sock.settimeout(sending)  # urllib3 sets it only on a connection that is reused
        finally:
            self.timeout = sending


class _SecureConnection(_Connection, HTTPSConnection):
    """The same with TLS, also within `_CONNECT_SECONDS`."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Client:
    """Sends requests to servers, which are known by their address, `HOST:PORT`. `context` is for TLS to the masters."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._pools = urllib3.PoolManager(
            num_pools=_SERVERS,
            maxsize=_CONNECTIONS,
            retries=False,
            ssl_context=context,
            server_hostname=_MASTER,
            assert_hostname=_MASTER,
        )
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        self._failures: dict[str, tuple[float, float]] = {}
        """The first and the last failure of each server that has not answered since."""

    def request(
        self,
        method: str,
        address: str,
        path: str,
        *,
        seconds: float,
        body: Data | bytearray | None = None,
        headers: Mapping[str, str] | None = None,
        master: bool = False,
    ) -> Response:
        """Send a request. Sending, the server's thinking and each pause while it answers may take `seconds`.

        `master` says that the server is a master, and not a volume server.

        Raises:
            StorageUnavailableError: the server has not answered.
        """
        timeout = urllib3.Timeout(connect=seconds, read=seconds)
        try:
            try:
                response = self._send(method, address, path, body, headers, timeout, master=master)
            except (ProtocolError, SSLError) as error:
                if any(isinstance(cause, TimeoutError) for cause in error.args):
                    raise
                # The server may have closed a connection that was not used for long. Requests can be repeated.
                response = self._send(method, address, path, body, headers, timeout, master=master)
        except HTTPError as error:
            self._failures[address] = (monotonic() - (self.down_seconds(address) or 0), monotonic())
            raise StorageUnavailableError(f"{address} does not answer: {_reason(error)}") from error
        self._failures.pop(address, None)
        return Response(response.status, response.data)

    def down_seconds(self, address: str) -> float | None:
        """Return for how long the server has not answered, or None if it is up as far as is known."""
        first, last = self._failures.get(address, (0.0, float("-inf")))
        now = monotonic()
        return now - first if now - last < _REMEMBERED_SECONDS else None

    def is_down(self, address: str) -> bool:
        """Return whether the server's last request has failed, some seconds ago at most."""
        return self.down_seconds(address) is not None

    def is_still_down(self, address: str) -> bool:
        """Return the same, but ask the volume server again if its last failure is older than a second.

        Its failure stays known until it has answered a request for a chunk, which a disk that hangs may prevent.
        """
        _, last = self._failures.get(address, (0.0, float("-inf")))
        if not _ASKED_AGAIN_SECONDS < monotonic() - last < _REMEMBERED_SECONDS:
            return self.is_down(address)
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_CONNECT_SECONDS)
        try:
            self._send("GET", address, "/healthz", None, None, timeout, master=False)
        except HTTPError:
            return True
        return False

    def _send(
        self,
        method: str,
        address: str,
        path: str,
        body: Data | bytearray | None,
        headers: Mapping[str, str] | None,
        timeout: urllib3.Timeout,
        *,
        master: bool,
    ) -> urllib3.BaseHTTPResponse:
        host, _, port = address.rpartition(":")
        return self._pools.connection_from_host(host, int(port), "https" if master else "http").urlopen(
            method,
            path,
            body,  # type: ignore[arg-type] # the types lack buffers, which are sent as they are
            headers,
            retries=False,
            timeout=timeout,
            decode_content=False,
        )


def _reason(error: BaseException) -> str:
    """Return the innermost cause, since urllib3 wraps it in text about its own objects."""
    while isinstance(error, HTTPError) and error.__cause__:
        error = error.__cause__
    return str(error) or type(error).__name__
