"""What the web page asks of the service, in memory."""

import hashlib
import json
import threading
import uuid
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from file_transfer import web_page

TUS = {"Tus-Resumable": "1.0.0"}
_BUSY_SECONDS = 0.2
_SCOPES = {"GET": "read", "HEAD": "read", "DELETE": "delete"}


@contextmanager
def serving_page(tokens: Mapping[str, str] | None = None) -> Iterator[int]:
    """A server's port; `tokens` are those it takes with their scopes («read write»), None asks for none."""

    class Handler(_Handler):
        state = _State(tokens)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@dataclass
class _Upload:
    name: str
    length: int
    content: bytearray = field(default_factory=bytearray)
    busy: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class _State:
    tokens: Mapping[str, str] | None
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, _Upload] = field(default_factory=dict)

    def publish(self, name: str, content: bytes) -> None:
        self.contents[name] = content
        self.files[name] = {
            "name": name,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "modified": datetime.now(UTC).isoformat(),
            "expires": None,
            "downloads_left": None,
        }


class _RefusedError(Exception):
    pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: _State

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        folder, _, name = url.path[1:].partition("/")
        if self.command in ("GET", "HEAD") and url.path in web_page.PATHS:
            page = web_page.answer(url.path, self.headers.get("If-None-Match", ""))
            return self._send(page.status, page.body, page.headers)
        route = getattr(self, f"_{self.command.lower()}_{folder}{'_one' if name else ''}")
        try:
            self._check_token()
            route(*([unquote(name)] if name else []))
        except _RefusedError as error:
            status, reason = error.args
            self._body()
            headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
            self._send(status, json.dumps({"error": reason}).encode(), headers)
        return None

    do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _get_files(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        limit, prefix, after = int(query.get("limit", 1000)), query.get("prefix", ""), query.get("after", "")
        names = sorted(name for name in self.state.files if name.startswith(prefix) and name > after)
        headers = {}
        if len(names) > limit:
            rest = f"limit={limit}&prefix={quote(prefix)}&after={quote(names[limit - 1])}"
            headers["Link"] = f'</files?{rest}>; rel="next"'
        self._send(200, json.dumps([self.state.files[name] for name in names[:limit]]).encode(), headers)

    def _get_files_one(self, name: str) -> None:
        if name not in self.state.files:
            raise _RefusedError(404, "no such file")
        disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        self._send(200, self.state.contents[name], {"Content-Disposition": disposition})

    def _put_files_one(self, name: str) -> None:
        self.state.publish(name, self._body())
        self._send(201, json.dumps(self.state.files[name]).encode())

    def _delete_files_one(self, name: str) -> None:
        file = self.state.files.get(name)
        if not file:
            raise _RefusedError(404, "no such file")
        if self.headers.get("If-Match") not in (None, f'"{file["sha256"]}"'):
            raise _RefusedError(412, "another file has this name by now")
        del self.state.files[name]
        self._send(204)

    def _post_uploads(self) -> None:
        metadata = dict(pair.split() for pair in self.headers["Upload-Metadata"].split(","))
        name = b64decode(metadata["filename"]).decode()
        if "\\" in name:
            raise _RefusedError(400, "the name is a path: give the name alone")
        key = uuid.uuid4().hex
        self.state.uploads[key] = _Upload(name, int(self.headers["Upload-Length"]))
        self._publish_whole(key)
        self._send(201, b"", TUS | {"Location": f"/uploads/{key}"})

    def _head_uploads_one(self, key: str) -> None:
        upload = self._upload(key)
        lengths = {"Upload-Offset": str(len(upload.content)), "Upload-Length": str(upload.length)}
        self._send(200, b"", TUS | lengths)

    def _patch_uploads_one(self, key: str) -> None:
        upload = self._upload(key)
        with self._alone(upload):
            if int(self.headers["Upload-Offset"]) != len(upload.content):
                raise _RefusedError(409, f"the upload is at {len(upload.content)}")
            left = int(self.headers["Content-Length"])
            while left and (chunk := self._read(min(left, 2**16))):
                upload.content += chunk
                left -= len(chunk)
            if left:
                self.close_connection = True  # nobody is there to be answered
                return
            self._publish_whole(key)
            self._send(204, b"", TUS | {"Upload-Offset": str(len(upload.content))})

    def _delete_uploads_one(self, key: str) -> None:
        with self._alone(self._upload(key)):
            del self.state.uploads[key]
            self._send(204, b"", TUS)

    def _upload(self, key: str) -> _Upload:
        if key not in self.state.uploads:
            raise _RefusedError(404, "no such upload")
        return self.state.uploads[key]

    @contextmanager
    def _alone(self, upload: _Upload) -> Iterator[None]:
        if not upload.busy.acquire(timeout=_BUSY_SECONDS):
            raise _RefusedError(423, "another request is at this upload")
        try:
            yield
        finally:
            upload.busy.release()

    def _publish_whole(self, key: str) -> None:
        upload = self.state.uploads[key]
        if len(upload.content) == upload.length:
            self.state.publish(upload.name, bytes(upload.content))

    def _check_token(self) -> None:
        if self.state.tokens is None:
            return
        scopes = self.state.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if scopes is None:
            raise _RefusedError(401, "a token is needed")
        needed = _SCOPES.get(self.command, "write")
        if self.path.startswith("/uploads"):
            needed = "write"
        if needed not in scopes.split():
            raise _RefusedError(403, f"this token may not {needed}")

    def _body(self) -> bytes:
        return self._read(int(self.headers.get("Content-Length", 0)))

    def _read(self, size: int) -> bytes:
        try:
            return self.rfile.read(size)
        except OSError:
            return b""

    def _send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            if status not in (204, 304) or name != "Content-Length":
                self.send_header(name, value)
        with suppress(OSError):  # whoever has asked may be gone
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
