"""Reading responses, and turning failed ones into errors."""

import json
import ssl
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

from file_transfer_client.errors import BrokenError, ClientError, RefusedError

BLOCK_BYTES = 256 * 1024
_RECEIVED_BYTES = 64 * 1024  # smaller, since the block during which a connection breaks is lost
_LONGEST_PAUSE = 60.0  # seconds: a longer Retry-After is cut down to this
_BUSY = (408, 429, 502, 503, 504)
_MAX_REASON_BYTES = 4096
_REMEDIES = {
    401: "set FILE_TRANSFER_TOKEN or give --token-file",
    412: "leave out --no-overwrite, or give another name with --as",
}


def blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the content of a response block by block.

    Raises:
        BrokenError: the connection broke.
    """
    try:
        yield from response.iter_content(_RECEIVED_BYTES)
    except requests.RequestException as error:
        raise connection_error(_origin(response.url), error) from error


def local_path(response: requests.Response, link: str) -> str:
    """Return the path and query of a link in a response.

    Raises:
        ClientError: the link leads to another server, which must not see the token or the content.
    """
    target = urljoin(response.url, link)
    if _origin(target) != _origin(response.url):
        raise ClientError(
            f"{_origin(response.url)} links to another server, {_one_line(target)}: do not trust this server"
        )
    parts = urlsplit(target)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def connection_error(server: str, error: requests.RequestException) -> ClientError:
    """Return the error for a request that got no response: a BrokenError if another try may succeed."""
    cause: BaseException = error
    while cause.__context__:
        cause = cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ClientError(f"{server}: {cause.verify_message}: give the certificate of its authority with --cacert")
    reason = f"{server}: {_one_line(getattr(cause, 'strerror', None) or str(cause) or type(cause).__name__)}"
    if isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return BrokenError(reason)
    return ClientError(reason)


def status_error(response: requests.Response) -> ClientError:
    """Return the error for a response without success: a BrokenError if the server is only busy."""
    status = response.status_code
    reason = _reason(response)
    if response.is_redirect:
        return RefusedError(
            status, f"{reason}, to {_one_line(response.headers['Location'])}: give that address with --server"
        )
    if status in _BUSY:
        pause = response.headers.get("Retry-After", "")
        return BrokenError(reason, min(float(pause), _LONGEST_PAUSE) if pause.isdecimal() else 0)
    return RefusedError(status, f"{reason}: {_REMEDIES[status]}" if status in _REMEDIES else reason)


def _reason(response: requests.Response) -> str:
    """Return the server's own message, or the status line if a proxy answered with something else."""
    try:
        content = next(response.iter_content(_MAX_REASON_BYTES), b"")
    except requests.RequestException:
        content = b""
    try:
        return _one_line(str(json.loads(content)["error"]))
    except (ValueError, TypeError, KeyError):
        first = content.decode(errors="replace").partition("\n")[0]
    if first.startswith("error: "):
        return _one_line(first.removeprefix("error: "))
    return f"{_origin(response.url)} responded with {response.status_code} {_one_line(response.reason or '')}".rstrip()


def _one_line(text: str) -> str:
    """Replace everything that could break the line or control the terminal by spaces."""
    return "".join(character if character.isprintable() else " " for character in text)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
