"""What servers answer, and what to make of it when they do not."""

import json
import ssl
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

from file_transfer.client.errors import BrokenError, ClientError, RefusedError

CHUNK_BYTES = 256 * 1024
_RECEIVED_BYTES = 64 * 1024  # a piece that a connection breaks off in is lost
_LONGEST_PAUSE = 60.0  # seconds: whoever asks for a longer one is asked sooner
_BUSY = (429, 502, 503, 504)
_MAX_REASON_BYTES = 4096
_REMEDIES = {
    401: "set FILE_TRANSFER_TOKEN or give --token-file",
    412: "leave out --no-overwrite, or give another name by --as",
}


def chunks(response: requests.Response) -> Iterator[bytes]:
    """The content of an answer in pieces; BrokenError if the connection breaks."""
    try:
        yield from response.iter_content(_RECEIVED_BYTES)
    except requests.RequestException as error:
        raise failure(_origin(response.url), error) from error


def local_path(response: requests.Response, link: str) -> str:
    """The path and the query of a link that an answer gives.

    Raises:
        ClientError: it leads to another server, which is to see neither the token nor the content.
    """
    target = urljoin(response.url, link)
    if _origin(target) != _origin(response.url):
        raise ClientError(f"{_origin(response.url)} points to {_line(target)}, another server: use no such server")
    parts = urlsplit(target)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def failure(server: str, error: requests.RequestException) -> ClientError:
    """What a request failed of: a BrokenError if it may go well another time."""
    cause: BaseException = error
    while cause.__context__:
        cause = cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ClientError(f"{server}: {cause.verify_message}: give the certificate of its authority by --cacert")
    reason = f"{server}: {_line(getattr(cause, 'strerror', None) or str(cause) or type(cause).__name__)}"
    if isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return BrokenError(reason)
    return ClientError(reason)


def refusal(response: requests.Response) -> ClientError:
    """What an answer refuses: a BrokenError if the server is only busy."""
    status = response.status_code
    reason = _reason(response)
    if response.is_redirect:
        return RefusedError(
            status, f"{reason}, to {_line(response.headers['Location'])}: give that address by --server"
        )
    if status in _BUSY:
        pause = response.headers.get("Retry-After", "")
        return BrokenError(reason, min(float(pause), _LONGEST_PAUSE) if pause.isdecimal() else 0)
    return RefusedError(status, f"{reason}: {_REMEDIES[status]}" if status in _REMEDIES else reason)


def _reason(response: requests.Response) -> str:
    """What the server says; what is between it and us may say it in other ways, or not at all."""
    try:
        content = next(response.iter_content(_MAX_REASON_BYTES), b"")
    except requests.RequestException:
        content = b""
    try:
        return _line(str(json.loads(content)["error"]))
    except (ValueError, TypeError, KeyError):
        first = content.decode(errors="replace").partition("\n")[0]
    if first.startswith("error: "):
        return _line(first.removeprefix("error: "))
    return f"{_origin(response.url)} answers {response.status_code} {_line(response.reason or '')}".rstrip()


def _line(text: str) -> str:
    """One line without anything that a terminal takes for more than text."""
    return "".join(character if character.isprintable() else " " for character in text)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
