"""POST /upload and POST /download: the two routes that users know, and that stay as they are."""

from contextlib import ExitStack

from bottle import HTTPResponse, request
from multipart import MultipartSegment

from file_transfer import answers, conditions, digests, forms, headers, lifetime, metrics, names, queries
from file_transfer.catalogue import Catalogue, Reception
from file_transfer.errors import RefusedError
from file_transfer.file_routes import FileRoutes
from file_transfer.slots import Slots
from file_transfer.stored_file import now

_DIGEST_BYTES = 100


class FormRoutes:
    """Uploads and downloads as forms."""

    def __init__(self, catalogue: Catalogue, slots: Slots, files: FileRoutes) -> None:
        self._catalogue = catalogue
        self._slots = slots
        self._files = files

    def upload(self) -> HTTPResponse:
        """Store each part «file» under its file name; what is refused of one is refused before any is published."""
        asked = lifetime.read(queries.read(request.query_string), now())
        condition = conditions.read(headers.ALL)
        with self._slots.take(), ExitStack() as stack:
            form = _Form(self._catalogue, stack)
            # To its very end: a file that is cut short is never taken for whole.
            for event in forms.parts(request.environ["wsgi.input"], headers.content_type(), request.content_length):
                form.take(event)
            received = form.files()
            if condition != conditions.NONE:
                for name in received:
                    condition.check_change(self._catalogue.find(name))
            stored = [reception.publish(name, asked, condition)[0] for name, reception in received.items()]
        metrics.RECEIVED.inc(sum(file.size for file in stored))
        return answers.stored(201, stored)

    def download(self) -> HTTPResponse:
        """The file whose name is in the field «name»."""
        wanted = forms.field(request.environ["wsgi.input"], headers.content_type(), request.content_length, "name")
        return self._files.send(self._catalogue.look_up(names.checked(wanted)))


class _Form:
    """What an upload's form holds: parts «file», each perhaps with a part «sha256» before it."""

    def __init__(self, catalogue: Catalogue, stack: ExitStack) -> None:
        self._catalogue = catalogue
        self._stack = stack
        self._files: dict[str, Reception] = {}
        self._field = self._name = ""
        self._sha256 = b""

    def take(self, event: MultipartSegment | bytes | None) -> None:
        """The next of the form: a part's headers, some of its content, or its end (None)."""
        if isinstance(event, MultipartSegment):
            self._field = event.name
            if self._field == "file":
                self._begin(names.checked(event.filename))
        elif event is None:
            if self._field == "file":
                self._end(self._files[self._name])
            self._field = ""
        elif self._field == "file":
            self._files[self._name].write(event)
        elif self._field == "sha256" and len(self._sha256) < _DIGEST_BYTES:
            self._sha256 += event

    def files(self) -> dict[str, Reception]:
        """All files by their names, when the form is at its end."""
        if not self._files:
            raise RefusedError(400, "the form has no part «file»: curl -F 'file=@NAME' sends one")
        if self._sha256:
            raise RefusedError(400, "the field «sha256» comes after the file: send it before")
        return self._files

    def _begin(self, name: str) -> None:
        if name in self._files:
            raise RefusedError(400, f"the form has two files of the name {names.printable(name)}")
        self._files[name] = self._stack.enter_context(self._catalogue.receive())
        self._name = name

    def _end(self, reception: Reception) -> None:
        reception.finish()
        if self._sha256:
            digests.check(digests.from_hex(self._sha256.decode("ascii", "replace")), reception.sha256)
            self._sha256 = b""
