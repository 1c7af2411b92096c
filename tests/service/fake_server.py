"""A file service in memory, on loopback. It supports what the client needs, and fails when a test asks for it."""

import base64
import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

PAGE = 3


@dataclass
class Upload:
    length: int
    metadata: dict[str, str]
    none_match: str = ""
    content: bytearray = field(default_factory=bytearray)


@dataclass(repr=False)  # the content would be megabytes of text
class FakeServer:
    """`requests` lists the requests in order. Each of `breaks` ends one transfer after that many bytes of content."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    limits: dict[str, dict[str, str]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    token: str = ""
    busy: int = 0
    """How many of the next requests get `busy_status`."""
    busy_status: int = 503
    locked: int = 0
    """How many of the next PATCH requests get 423, as if another replica held the upload."""
    dropped_bytes: int = 0
    """How many of the last bytes of the next PATCH are not kept."""
    unreadable: bool = False
    """Whether HEAD of a file gets 403, as if the token could only write."""
    loses_response_to: str = ""
    """The next request with this method is carried out, but its response is not sent."""
    ignores_if_range: bool = False
    """Whether a range of the current version is sent even if If-Range names another one."""
    damages: bool = False
    """Whether the first byte of each file is changed when it is stored or downloaded."""
    next_page: str = ""
    """The link to the next page, in place of the right one."""

    def put(self, name: str, content: bytes, limits: dict[str, str]) -> None:
        self.files[name] = _damaged(content) if self.damages else content
        self.limits[name] = limits


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[FakeServer]:
    fake = FakeServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"fake": fake}))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    fake.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _BrokenError(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (_BrokenError, ConnectionError):
            self.close_connection = True

    def do_GET(self) -> None:
        self._route()

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _route(self) -> None:
        self._read = False
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.fake.requests.append(f"{self.command} {self.path}")
        self.fake.headers.append({key.lower(): value for key, value in self.headers.items()})
        if self.fake.token and self.headers["Authorization"] != f"Bearer {self.fake.token}":
            return self._refuse(401, "a token is needed")
        if self.fake.busy:
            self.fake.busy -= 1
            return self._refuse(self.fake.busy_status, "too many transfers are running", {"Retry-After": "7"})
        if parts.path == "/files":
            return self._list(query)
        if parts.path.startswith("/files/"):
            return self._file(unquote(parts.path.removeprefix("/files/")), query)
        if parts.path.startswith("/uploads"):
            return self._tus(parts.path.removeprefix("/uploads").lstrip("/"))
        return self._refuse(404, "not found")

    def _list(self, query: dict[str, str]) -> None:
        names = [
            name
            for name in sorted(self.fake.files)
            if name.startswith(query.get("prefix", "")) and name > query.get("after", "")
        ]
        page = [self._described(name) for name in names[:PAGE]]
        more = f"/files?prefix={quote(query.get('prefix', ''))}&after={quote(names[PAGE - 1])}" if names[PAGE:] else ""
        link = self.fake.next_page or more
        self._respond(200, json.dumps(page).encode(), {"Link": f'<{link}>; rel="next"'} if link else {})

    def _described(self, name: str) -> dict[str, object]:
        content = self.fake.files[name]
        return {"name": name, "size": len(content), "sha256": _hex(content), "modified": "2026-11-23T20:00:00+00:00"}

    def _file(self, name: str, query: dict[str, str]) -> None:
        if self.command == "PUT":
            content = self._body()
            if self._is_taken(name):
                return self._refuse(412, "there is a file of that name")
            if self.headers["Repr-Digest"] not in (None, _repr_digest(content)):
                return self._refuse(422, "the content does not agree with its digest")
            self.fake.put(name, content, query)
            return self._respond(201, b"", _digest_headers(self.fake.files[name]))
        if name not in self.fake.files:
            return self._refuse(404, f"no file is named {name!a}")
        if self.command == "DELETE":
            del self.fake.files[name]
            return self._respond(204)
        if self.command == "HEAD" and self.fake.unreadable:
            return self._refuse(403, "this token may not read")
        return self._content(self.fake.files[name])

    def _content(self, content: bytes) -> None:
        headers = _digest_headers(content)
        status, first, size = 200, 0, len(content)
        wanted = self.headers["Range"]
        if wanted and (self.fake.ignores_if_range or self.headers["If-Range"] in (None, headers["ETag"])):
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= size:
                return self._refuse(416, "there is no such part", {"Content-Range": f"bytes */{size}"})
            status, headers["Content-Range"] = 206, f"bytes {first}-{size - 1}/{size}"
        return self._respond(status, (_damaged(content) if self.fake.damages else content)[first:], headers)

    def _tus(self, key: str) -> None:
        assert self.headers["Tus-Resumable"] == "1.0.0"
        if self.command == "POST":
            pairs = (pair.split(" ") for pair in self.headers["Upload-Metadata"].split(","))
            metadata = {name: base64.b64decode(value).decode() for name, value in pairs}
            key = str(len(self.fake.uploads) + 1)
            if self._is_taken(metadata["filename"]):
                return self._refuse(412, "there is a file of that name")
            self.fake.uploads[key] = Upload(
                int(self.headers["Upload-Length"]), metadata, self.headers["If-None-Match"] or ""
            )
            return self._respond(201, b"", {"Location": f"/uploads/{key}"})
        upload = self.fake.uploads.get(key)
        if upload is None:
            return self._refuse(404, "there is no such upload")
        if self.command == "PATCH":
            if self.fake.locked:
                self.fake.locked -= 1
                return self._refuse(423, "the upload is locked")
            if int(self.headers["Upload-Offset"]) != len(upload.content):
                return self._refuse(409, f"the upload has {len(upload.content)} bytes")
            self._body(upload.content)
            del upload.content[len(upload.content) - self.fake.dropped_bytes :]
            self.fake.dropped_bytes = 0
            if len(upload.content) == upload.length:
                if upload.none_match == "*" and upload.metadata["filename"] in self.fake.files:
                    return self._refuse(412, "there is a file of that name")
                limits = dict(upload.metadata)
                self.fake.put(limits.pop("filename"), bytes(upload.content), limits)
                del self.fake.uploads[key]
        status = 204 if self.command == "PATCH" else 200
        return self._respond(
            status, b"", {"Upload-Offset": str(len(upload.content)), "Upload-Length": str(upload.length)}
        )

    def _is_taken(self, name: str) -> bool:
        return self.headers["If-None-Match"] == "*" and name in self.fake.files

    def _body(self, content: bytearray | None = None) -> bytes:
        """Read the content. When the connection breaks, `content` keeps what has been read."""
        self._read = True
        content = bytearray() if content is None else content
        left = self.fake.breaks.pop(0) if self.fake.breaks else None
        while size := self._next_size():
            while size:
                take = min(size, 65536, size if left is None else left)
                data = self.rfile.read(take)
                content += data
                size -= take
                if left is not None:
                    left -= take
                if left == 0 or len(data) < take:
                    raise _BrokenError
            if "Content-Length" in self.headers:
                break
            self.rfile.readline()
        return bytes(content)

    def _next_size(self) -> int:
        if "Content-Length" in self.headers:
            return int(self.headers["Content-Length"])
        size = int(self.rfile.readline(), 16)
        if not size:
            self.rfile.readline()
        return size

    def _refuse(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        if self.command in ("PUT", "PATCH") and not self._read:
            self._body()  # a client that is still sending could miss the response
        self._respond(status, json.dumps({"error": reason}).encode(), headers or {})

    def _respond(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        if self.fake.loses_response_to == self.command:
            self.fake.loses_response_to = ""
            raise _BrokenError
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if status in (200, 206) and self.fake.breaks:
            self.wfile.write(body[: self.fake.breaks.pop(0)])
            raise _BrokenError
        self.wfile.write(body)


def _damaged(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def _hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _repr_digest(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def _digest_headers(content: bytes) -> dict[str, str]:
    return {"ETag": f'"{_hex(content)}"', "Repr-Digest": _repr_digest(content)}
