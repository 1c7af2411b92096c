"""The WSGI application: its routes, and what they have in common (tokens, errors, metrics)."""

import time
from collections.abc import Callable
from http import HTTPStatus
from importlib import resources

from bottle import Bottle, HTTPError, HTTPResponse, request, response

from file_transfer import access, error_responses, headers, metrics, queries, responses, tus_routes, web_page
from file_transfer.browsers import Browsers
from file_transfer.catalogue import Catalogue
from file_transfer.errors import RefusedError
from file_transfer.file_routes import FileRoutes
from file_transfer.form_routes import FormRoutes
from file_transfer.readiness import ALWAYS_READY, Readiness
from file_transfer.slots import Slots
from file_transfer.tokens import DELETE, READ, WRITE, Tokens
from file_transfer.tus_routes import TusRoutes

Handler = Callable[..., HTTPResponse]

NAME = "<name:re:(?s:.+)>"
"""The file's name in a route. Bottle's `path` does not match a line break: such a name would get 404 and not 400."""

TOKEN_NAME = "file_transfer.token"  # noqa: S105 - a key, not a token
"""The key in a request's WSGI environment under which the access log finds the name of its token."""


def create(
    catalogue: Catalogue,
    *,
    max_transfers: int,
    tokens: Tokens | None = None,
    browsers: Browsers | None = None,
    readiness: Readiness = ALWAYS_READY,
) -> Bottle:
    """Return the application that serves a catalogue.

    Args:
        catalogue: the stored files.
        max_transfers: how many transfers this process runs at once. It refuses further ones.
        tokens: the valid tokens. Without any, everybody may do everything.
        browsers: the names of this service, and the other sites whose pages may use it. By default there are none.
        readiness: whether this replica can serve files and takes more requests.
    """
    app = Bottle(catchall=True)
    every_response = _EveryResponse(browsers or Browsers())
    app.default_error_handler = every_response.default_error
    app.add_hook("before_request", every_response.check_request)
    app.add_hook("after_request", every_response.add_headers)
    slots = Slots(max_transfers)
    files = FileRoutes(catalogue, slots)
    forms = FormRoutes(catalogue, slots, files)
    tus = TusRoutes(catalogue, slots)
    service = _ServiceRoutes(readiness)
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
        ("POST", "/uploads", WRITE, tus_routes.version_checked(tus.create)),
        ("HEAD", "/uploads/<identifier>", WRITE, tus_routes.version_checked(tus.head)),
        ("PATCH", "/uploads/<identifier>", WRITE, tus_routes.version_checked(tus.append)),
        ("DELETE", "/uploads/<identifier>", WRITE, tus_routes.version_checked(tus.remove)),
        ("POST", "/uploads/<identifier>", WRITE, tus_routes.version_checked(tus.method_override)),
        *(("GET", path, None, service.page) for path in web_page.PATHS),
        ("GET", "/openapi.json", None, service.openapi),
        ("GET", "/healthz", None, service.healthz),
        ("GET", "/readyz", None, service.readyz),
    ]
    take_queries = (forms.upload, files.list, files.put)
    for method, path, scope, handler in routes:
        checked = handler if handler in take_queries else _without_query(handler)
        app.route(path, method, _measured(method, path, _with_error_responses(_authorised(tokens, scope, checked))))
    return app


class _EveryResponse:
    """What all requests and responses have in common, also where no route matches."""

    def __init__(self, browsers: Browsers) -> None:
        self._browsers = browsers

    def check_request(self) -> None:
        """Refuse requests that no route may handle, and answer the preflight requests of browsers (CORS)."""
        try:
            self._browsers.check(request.environ)
        except RefusedError as error:
            raise error_responses.response(error) from None
        if allowed := self._browsers.preflight(request.environ):
            raise responses.empty(204, **allowed)
        _check_path()

    def add_headers(self) -> None:
        """Add the headers that depend on the request alone."""
        tus_routes.add_version()
        for name, value in self._browsers.headers(request.environ).items():
            response.set_header(name, value)

    def default_error(self, error: HTTPError) -> str:
        """Return the text for Bottle's own errors: an unknown path or method, or an internal error without details."""
        metrics.ERRORS.labels(HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")).inc()
        self.add_headers()
        for name, value in responses.SECURITY_HEADERS.items():
            response.set_header(name, value)
        error.content_type = "text/plain; charset=utf-8"
        return f"error: {error.status_line.partition(' ')[2].lower()}\n"


class _ServiceRoutes:
    """The routes about the service itself: the web page, its API, and health. The metrics are on the status port."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._openapi = resources.files("file_transfer").joinpath("openapi.json").read_text()

    def page(self) -> HTTPResponse:
        """Return a file of the web page."""
        file = web_page.response(request.path, headers.REQUEST.get("If-None-Match", ""))
        return HTTPResponse(file.body, file.status, dict(file.headers))

    def openapi(self) -> HTTPResponse:
        """Return the OpenAPI description of all routes."""
        return HTTPResponse(self._openapi, headers={**responses.SECURITY_HEADERS, "Content-Type": "application/json"})

    def healthz(self) -> HTTPResponse:
        """Return 200 as long as the process responds."""
        return responses.text(200, "alive")

    def readyz(self) -> HTTPResponse:
        """Return 200 if this replica can serve files and takes more requests."""
        self._readiness.check()
        return responses.text(200, "ready")


def _authorised(tokens: Tokens | None, scope: str | None, handler: Handler) -> Handler:
    if tokens is None or scope is None:
        return handler

    def handle(**arguments: str) -> HTTPResponse:
        token = tokens.holder(headers.REQUEST.get("Authorization", ""), scope)
        request.environ[TOKEN_NAME] = token.name
        access.grant(token)
        return handler(**arguments)

    return handle


def _without_query(handler: Handler) -> Handler:
    def handle(**arguments: str) -> HTTPResponse:
        queries.parse(())
        return handler(**arguments)

    return handle


def _check_path() -> None:
    """Refuse a path that is not valid UTF-8. Bottle drops the invalid bytes, and would serve another file."""
    try:
        request.environ["bottle.raw_path"].encode("latin-1").decode()
    except UnicodeDecodeError:
        raise responses.error(400, "the path is not valid UTF-8", "name") from None


def _with_error_responses(handler: Handler) -> Handler:
    def handle(**arguments: str) -> HTTPResponse:
        try:
            return handler(**arguments)
        except error_responses.EXPECTED as error:
            return error_responses.response(error)

    return handle


def _measured(method: str, path: str, handler: Handler) -> Handler:
    route = path.replace(NAME, "NAME").replace("<identifier>", "ID")

    def handle(**arguments: str) -> HTTPResponse:
        started = time.perf_counter()
        status = 500
        try:
            response = handler(**arguments)
            status = response.status_code
            return response
        finally:
            metrics.REQUESTS.labels(method, route, str(status)).inc()
            metrics.SECONDS.labels(method, route).observe(time.perf_counter() - started)

    return handle
