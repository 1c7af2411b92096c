"""POST /upload and POST /download, the two form routes that existing users call. Their interface must not change."""

from contextlib import ExitStack

from bottle import HTTPResponse, request
from multipart import MultipartSegment

from file_transfer import (
    access,
    conditions,
    digests,
    fields,
    forms,
    headers,
    lifetime,
    metrics,
    names,
    queries,
    responses,
)
from file_transfer.catalogue import Catalogue
from file_transfer.clock import now
from file_transfer.errors import InvalidRequestError
from file_transfer.file_routes import FileRoutes
from file_transfer.incoming import IncomingFile
from file_transfer.slots import Slots

_FIELDS = ("file", "sha256")
_MAX_SHA256_BYTES = 100


class FormRoutes:
    """Uploads and downloads by forms."""

    def __init__(self, catalogue: Catalogue, slots: Slots, files: FileRoutes) -> None:
        self._catalogue = catalogue
        self._slots = slots
        self._files = files

    def upload(self) -> HTTPResponse:
        """Store each part "file" under its file name. If one file is refused, none is published."""
        requested = lifetime.parse(access.with_ttl(queries.parse(lifetime.FIELDS)), now())
        condition = conditions.parse(headers.REQUEST)
        with self._slots.take(headers.client()), ExitStack() as stack:
            form = _Form(self._catalogue, stack)
            # The whole form is read before anything is published, since a file that is cut short must not be stored.
            for event in forms.read_parts(
                request.environ["wsgi.input"], headers.content_type(), headers.content_length()
            ):
                form.handle(event)
            published = self._catalogue.publish(form.files(), requested, condition)
            stored = [file for file, _ in published.values()]
        metrics.RECEIVED.inc(sum(file.size for file in stored))
        return responses.stored(201, stored)

    def download(self) -> HTTPResponse:
        """Return the file whose name is in the field "name"."""
        with self._slots.take(headers.client()):  # a slow form must not take one of the threads that are kept free
            name = forms.text_field(
                request.environ["wsgi.input"], headers.content_type(), headers.content_length(), "name"
            )
        return self._files.download(name)


class _Form:
    """The form of an upload: parts "file", each with an optional part "sha256" before it."""

    def __init__(self, catalogue: Catalogue, stack: ExitStack) -> None:
        self._catalogue = catalogue
        self._stack = stack
        self._files: dict[str, IncomingFile] = {}
        self._field = self._name = ""
        self._sha256: bytes | None = None

    def handle(self, event: MultipartSegment | bytes | None) -> None:
        """Handle the next event of the form: the headers of a part, a block of its content, or its end (None)."""
        if isinstance(event, MultipartSegment):
            self._begin_field(event)
        elif event is None:
            if self._field == "file":
                self._end_file(self._files[self._name])
            self._field = ""
        elif self._field == "file":
            self._files[self._name].write(event)
            for file in self._files.values():  # those that are finished wait for the rest of the form
                file.renew()
        elif self._sha256 is not None:
            self._sha256 += event
            if len(self._sha256) > _MAX_SHA256_BYTES:
                raise InvalidRequestError("sha256 is invalid: send 64 hexadecimal digits")

    def files(self) -> dict[str, IncomingFile]:
        """Return all files by name, at the end of the form."""
        if not self._files:
            raise InvalidRequestError("the form has no part \"file\": send one with curl -F 'file=@x'")
        if self._sha256 is not None:
            raise InvalidRequestError('the field "sha256" comes after its file: send it before the file')
        return self._files

    def _begin_field(self, segment: MultipartSegment) -> None:
        self._field = segment.name or ""
        if self._field in lifetime.FIELDS:
            raise InvalidRequestError(
                f"{self._field} is a field of the form: put it into the query, /upload?{self._field}="
            )
        if self._field not in _FIELDS:
            raise fields.unknown("form", self._field, _FIELDS)
        if self._field == "file":
            self._begin_file(access.new_name(segment.filename))
        elif self._sha256 is None:
            self._sha256 = b""
        else:
            raise InvalidRequestError('the form has two fields "sha256" before one file: send one of them')

    def _begin_file(self, name: str) -> None:
        if name in self._files:
            raise InvalidRequestError(f"the form has two files named {names.printable(name)}: send one of them")
        self._files[name] = self._stack.enter_context(self._catalogue.receive(owner=access.owner()))
        self._name = name

    def _end_file(self, incoming_file: IncomingFile) -> None:
        incoming_file.finish()
        if self._sha256 is not None:
            digests.check(digests.from_hex(self._sha256.decode("ascii", "replace")), incoming_file.sha256)
            self._sha256 = None
