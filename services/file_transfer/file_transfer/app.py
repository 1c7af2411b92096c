"""The routes. POST /upload and POST /download are what users know, and stay as they are."""

import json
import time
from collections.abc import Callable
from typing import Any

from bottle import Bottle, HTTPError, HTTPResponse, request
from multipart import MultipartSegment

from file_transfer import forms, metrics, names
from file_transfer.errors import RefusedError
from file_transfer.slots import Content, Slots
from file_transfer.storage import Incoming, Storage, StorageFullError, StoredFile, UnknownFileError

_RETRY_SECONDS = 5


def create(
    storage: Storage, *, max_file_bytes: int, max_transfers: int, is_draining: Callable[[], bool] = lambda: False
) -> Bottle:
    """The WSGI application over a storage; `max_transfers` run at once in this process, one more is refused."""
    app = Bottle(catchall=True)
    app.default_error_handler = _default_error
    service = _Service(storage, max_file_bytes, Slots(max_transfers), is_draining)
    routes: dict[tuple[str, str], Callable[[], HTTPResponse]] = {
        ("POST", "/upload"): service.upload,
        ("POST", "/download"): service.download,
        ("GET", "/files"): service.files,
        ("GET", "/healthz"): service.healthz,
        ("GET", "/readyz"): service.readyz,
        ("GET", "/metrics"): service.metrics,
    }
    for (method, path), handler in routes.items():
        app.route(path, method, _measured(path, _refusals_answered(handler)))
    return app


class _Service:
    def __init__(self, storage: Storage, max_file_bytes: int, slots: Slots, is_draining: Callable[[], bool]) -> None:
        self._storage = storage
        self._max_file_bytes = max_file_bytes
        self._slots = slots
        self._is_draining = is_draining

    def upload(self) -> HTTPResponse:
        """Store the part «file» under its file name; it is there when the answer comes, all of it."""
        slot = self._slots.take()
        try:
            with self._storage.receive() as incoming:
                name = self._receive(incoming)
                stored = incoming.publish(name)
        finally:
            slot.give_back()
        metrics.RECEIVED.inc(stored.size)
        return _answer(201, f"{stored.name} {stored.size} bytes sha256:{stored.sha256}", _described(stored))

    def download(self) -> HTTPResponse:
        """The file whose name is in the field «name»."""
        slot = self._slots.take()
        try:
            wanted = forms.field(request.environ["wsgi.input"], request.content_type, request.content_length, "name")
            stored, content = self._storage.open(names.checked(wanted))
        except BaseException:
            slot.give_back()
            raise
        metrics.SENT.inc(stored.size)
        # Bottle hands an object with `read` to the server's file wrapper: the kernel copies it to the socket.
        return HTTPResponse(
            Content(content, slot),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(stored.size),
                "Content-Disposition": names.content_disposition(stored.name),
                "ETag": f'"{stored.sha256}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    def files(self) -> HTTPResponse:
        """All files, as JSON."""
        return _json(200, [_described(stored) for stored in self._storage.files()])

    def healthz(self) -> HTTPResponse:
        """The process answers."""
        return _answer(200, "alive")

    def readyz(self) -> HTTPResponse:
        """Files can be stored and read, and more requests are welcome."""
        if self._is_draining():
            raise RefusedError(503, "this replica is about to end")
        if not self._storage.is_ready():
            raise RefusedError(503, "the storage cannot be written to")
        return _answer(200, "ready")

    def metrics(self) -> HTTPResponse:
        """For Prometheus."""
        return HTTPResponse(metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})

    def _receive(self, incoming: Incoming) -> str:
        """Read the form to its very end, so that a file that is cut short is never taken for whole."""
        name, inside, size = "", False, 0
        for event in forms.parts(request.environ["wsgi.input"], request.content_type, request.content_length):
            if isinstance(event, MultipartSegment):
                inside = event.name == "file"
                if inside and name:
                    raise RefusedError(400, "the form has more than one part «file»: send one file a request")
                if inside:
                    name = names.checked(event.filename)
            elif event and inside:
                size += len(event)
                if size > self._max_file_bytes:
                    raise RefusedError(413, f"the file has more than {self._max_file_bytes} bytes")
                incoming.write(event)
        if not name:
            raise RefusedError(400, "the form has no part «file»: curl -F 'file=@NAME' sends one")
        return name


def _refusals_answered(handler: Callable[[], HTTPResponse]) -> Callable[[], HTTPResponse]:
    def answer() -> HTTPResponse:
        try:
            return handler()
        except RefusedError as error:
            response = _refusal(error.status, error.reason)
            if error.status == 503:
                response.set_header("Retry-After", str(_RETRY_SECONDS))
            return response
        except names.NameRefusedError as error:
            return _refusal(400, str(error))
        except UnknownFileError as error:
            return _refusal(404, f"no file is named {names.printable(str(error.args[0]))}")
        except StorageFullError:
            return _refusal(507, "there is no room for the file")

    return answer


def _measured(route: str, handler: Callable[[], HTTPResponse]) -> Callable[[], HTTPResponse]:
    def answer() -> HTTPResponse:
        started = time.perf_counter()
        status = 500
        try:
            response = handler()
            status = response.status_code
            return response
        finally:
            metrics.REQUESTS.labels(route, str(status)).inc()
            metrics.SECONDS.labels(route).observe(time.perf_counter() - started)

    return answer


def _described(stored: StoredFile) -> dict[str, Any]:
    return {
        "name": stored.name,
        "size": stored.size,
        "sha256": stored.sha256,
        "modified": stored.modified.isoformat(),
    }


def _refusal(status: int, reason: str) -> HTTPResponse:
    return _answer(status, f"error: {reason}", {"error": reason})


def _answer(status: int, line: str, document: dict[str, Any] | None = None) -> HTTPResponse:
    """One line of text, or the document for those who ask for JSON."""
    if document is not None and "application/json" in request.get_header("Accept", ""):
        return _json(status, document)
    return HTTPResponse(f"{line}\n", status, {"Content-Type": "text/plain; charset=utf-8"})


def _json(status: int, document: Any) -> HTTPResponse:  # noqa: ANN401 - what JSON can hold
    text = json.dumps(document, ensure_ascii=False) + "\n"
    return HTTPResponse(text, status, {"Content-Type": "application/json"})


def _default_error(error: HTTPError) -> str:
    """For what Bottle itself refuses: unknown paths and methods, and our own mistakes, of which it tells nothing."""
    error.content_type = "text/plain; charset=utf-8"
    return f"error: {error.status_line.partition(' ')[2].lower()}\n"
