"""A client that calls a WSGI application without sockets, and the forms that it sends."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
MAX_TRANSFERS = 4


@dataclass(frozen=True)
class Response:
    """A response; the names in `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "",
        *,
        length: int | None = None,
        **headers: str,
    ) -> Response:
        """Send a request and read the whole response. `length` is the declared length, -1 for none."""
        path, _, query = path.partition("?")
        length = len(body) if length is None else length
        (status, head), body_blocks = self.begin(
            method, path, io.BytesIO(body), content_type, length, query=query, **headers
        )
        content = b"".join(body_blocks)
        getattr(body_blocks, "close", lambda: None)()
        return Response(int(status.split()[0]), {name.lower(): value for name, value in head}, content)

    def begin(
        self, method: str, path: str, body: BinaryIO, content_type: str, length: int, *, query: str = "", **headers: str
    ) -> tuple[list[Any], Any]:
        """Return status and headers, and the body, which the caller must close like a server."""
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.errors": io.StringIO(),
            "CONTENT_TYPE": content_type,
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        if length != -1:
            environ["CONTENT_LENGTH"] = str(length)
        started: list[Any] = []
        content = self._application(environ, lambda status, head, _=None: started.extend((status, head)))
        return started, content

    def put(self, name: str, content: bytes, **options: Any) -> Response:
        return self.request("PUT", f"/files/{name}", content, **options)

    def get(self, name: str, **headers: str) -> Response:
        return self.request("GET", f"/files/{name}", **headers)

    def upload(self, name: str, content: bytes, **options: Any) -> Response:
        return self.request("POST", "/upload", file_form(name, content), FORM, **options)

    def download(self, name: str) -> Response:
        return self.request("POST", "/download", text_form("name", name), FORM)


def file_form(name: str, content: bytes, field: str = "file") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def text_form(field: str, value: str) -> bytes:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n--{BOUNDARY}--\r\n'.encode()
    )
