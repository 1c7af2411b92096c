"""The WSGI application: which route is answered by what, and what all of them have in common."""

import time
from collections.abc import Callable
from importlib import resources

from bottle import Bottle, HTTPError, HTTPResponse, request

from file_transfer import answers, headers, metrics, names, tus_routes, web_page
from file_transfer.catalogue import Catalogue, UnknownFileError
from file_transfer.errors import RefusedError, kind_of
from file_transfer.file_routes import FileRoutes
from file_transfer.form_routes import FormRoutes
from file_transfer.slots import Slots
from file_transfer.storage import StorageFullError, StorageUnavailableError
from file_transfer.tokens import DELETE, READ, WRITE, Tokens
from file_transfer.tus_routes import TusRoutes
from file_transfer.uploads import UnknownUploadError

Handler = Callable[..., HTTPResponse]

NAME = "<name:re:(?s:.+)>"
"""The file's name in a route. Bottle's `path` does not match a line break: such a name would get 404 and not 400."""

WHO = "file_transfer.token"
"""Where the access log finds the name of the token that opened the request, in its environment."""


def create(
    catalogue: Catalogue,
    *,
    max_transfers: int,
    known: Tokens | None = None,
    is_draining: Callable[[], bool] = lambda: False,
) -> Bottle:
    """The application over a catalogue; `max_transfers` run at once in this process, one more is refused.

    Without `known` tokens everybody may do everything.
    """
    app = Bottle(catchall=True)
    app.default_error_handler = _default_error
    slots = Slots(max_transfers)
    files = FileRoutes(catalogue, slots)
    forms = FormRoutes(catalogue, slots, files)
    tus = TusRoutes(catalogue, slots)
    service = _ServiceRoutes(catalogue, is_draining)
    routes: list[tuple[str, str, str | None, Handler]] = [
        ("POST", "/upload", WRITE, forms.upload),
        ("POST", "/download", READ, forms.download),
        ("GET", "/files", READ, files.list),
        ("PUT", f"/files/{NAME}", WRITE, files.put),
        ("GET", f"/files/{NAME}", READ, files.get),
        ("HEAD", f"/files/{NAME}", READ, files.head),
        ("DELETE", f"/files/{NAME}", DELETE, files.delete),
        ("OPTIONS", "/uploads", None, tus.options),
        ("OPTIONS", "/uploads/<identifier>", None, tus.options),
        ("POST", "/uploads", WRITE, _of_its_version(tus.create)),
        ("HEAD", "/uploads/<identifier>", WRITE, _of_its_version(tus.head)),
        ("PATCH", "/uploads/<identifier>", WRITE, _of_its_version(tus.append)),
        ("DELETE", "/uploads/<identifier>", WRITE, _of_its_version(tus.remove)),
        ("POST", "/uploads/<identifier>", WRITE, _of_its_version(tus.overridden)),
        *(("GET", path, None, service.page) for path in web_page.PATHS),
        ("GET", "/openapi.json", None, service.openapi),
        ("GET", "/healthz", None, service.healthz),
        ("GET", "/readyz", None, service.readyz),
        ("GET", "/metrics", None, service.metrics),
    ]
    for method, path, scope, handler in routes:
        app.route(path, method, _measured(method, path, _refusals_answered(_opened(known, scope, handler))))
    return app


class _ServiceRoutes:
    """What the service says of itself."""

    def __init__(self, catalogue: Catalogue, is_draining: Callable[[], bool]) -> None:
        self._storage = catalogue.storage
        self._is_draining = is_draining
        self._openapi = resources.files("file_transfer").joinpath("openapi.json").read_text()

    def page(self) -> HTTPResponse:
        """The web page, and what belongs to it."""
        page = web_page.answer(request.path, headers.ALL.get("If-None-Match", ""))
        return HTTPResponse(page.body, page.status, dict(page.headers))

    def openapi(self) -> HTTPResponse:
        """The description of all this."""
        return HTTPResponse(self._openapi, headers={"Content-Type": "application/json"})

    def healthz(self) -> HTTPResponse:
        """The process answers."""
        return answers.text(200, "alive")

    def readyz(self) -> HTTPResponse:
        """Files can be read, and more requests are welcome."""
        if self._is_draining():
            raise RefusedError(503, "this replica is about to end", kind="draining")
        if not self._storage.is_ready():
            raise RefusedError(503, "the storage does not answer", kind="storage")
        return answers.text(200, "ready")

    def metrics(self) -> HTTPResponse:
        """For Prometheus."""
        return HTTPResponse(metrics.exposition(), headers={"Content-Type": metrics.CONTENT_TYPE})


def _opened(known: Tokens | None, scope: str | None, handler: Handler) -> Handler:
    if known is None or scope is None:
        return handler

    def answer(**arguments: str) -> HTTPResponse:
        request.environ[WHO] = known.name_for(headers.ALL.get("Authorization", ""), scope)
        return handler(**arguments)

    return answer


def _of_its_version(handler: Handler) -> Handler:
    def answer(**arguments: str) -> HTTPResponse:
        tus_routes.check_version()
        return handler(**arguments)

    return answer


def _refusals_answered(handler: Handler) -> Handler:
    def answer(**arguments: str) -> HTTPResponse:
        try:
            return handler(**arguments)
        except RefusedError as error:
            return answers.refusal(error.status, error.reason, error.kind)
        except names.NameRefusedError as error:
            return answers.refusal(400, str(error), "name")
        except UnknownFileError as error:
            return answers.refusal(404, f"no file is named {names.printable(str(error.args[0]))}", "unknown_file")
        except UnknownUploadError:
            return answers.refusal(
                404, "there is no such upload: it was published, given up, or is too old", "unknown_upload"
            )
        except StorageFullError:
            return answers.refusal(507, "there is no room for the file")
        except StorageUnavailableError as error:
            request.environ["wsgi.errors"].write(f"storage: {error}\n")
            return answers.refusal(503, "the storage cannot do this now: try again in a moment", "storage")

    return answer


def _measured(method: str, path: str, handler: Handler) -> Handler:
    route = path.replace(NAME, "NAME").replace("<identifier>", "ID")

    def answer(**arguments: str) -> HTTPResponse:
        started = time.perf_counter()
        status = 500
        try:
            response = handler(**arguments)
            status = response.status_code
            return response
        finally:
            metrics.REQUESTS.labels(method, route, str(status)).inc()
            metrics.SECONDS.labels(method, route).observe(time.perf_counter() - started)

    return answer


def _default_error(error: HTTPError) -> str:
    """For what Bottle itself refuses: unknown paths and methods, and our own mistakes, of which it tells nothing."""
    metrics.ERRORS.labels(kind_of(error.status_code)).inc()
    error.content_type = "text/plain; charset=utf-8"
    return f"error: {error.status_line.partition(' ')[2].lower()}\n"
